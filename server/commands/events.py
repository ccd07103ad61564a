"""`job history` and `job watch`."""

import sys
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING

import click

from server.commands.connection_line import connection_shown
from server.commands.output import Form, end_when_reader_goes, print_item, print_value
from server.commands.text import at, has_colours, printable

if TYPE_CHECKING:
    from server.client import Client
    from server.wire.entries import Entry

_COLOURS = {
    "engine-ready": "green",
    "engine-healthy": "green",
    "flow-recovered": "green",
    "flow-succeeded": "blue",
    "engine-failed": "red",
    "engine-exited": "red",
    "engine-lost": "red",
    "engine-unreachable": "magenta",
    "flow-stalled": "magenta",
    "attempts-summed-up": "red",
    "delete-requested": "yellow",
    "job-deleted": "yellow",
}


def history(client: "Client", job_id: str, *, newest_first: bool, limit: int | None, form: Form) -> int:
    entries = islice(client.history(job_id, newest_first=newest_first), limit)
    if not form.is_for_people:
        print_value(list(entries), form)
        return 0
    for entry in entries:
        print_entry(entry, form, with_job=False)
    return 0


def watch(
    client: "Client",
    job_id: str | None,
    *,
    after: int | None,
    types: Sequence[str],
    count: int | None,
    patience: float | None,
    form: Form,
) -> int:
    end_when_reader_goes()
    with connection_shown() as told:
        entries = client.watch(job_id, after=after, types=types, patience=patience, told=told)
        for entry in islice(entries, count):
            if form.is_for_people:
                print_entry(entry, form, with_job=job_id is None)
            else:
                print_item(entry, form)
            sys.stdout.flush()
    return 0


def print_entry(entry: "Entry", form: Form, *, with_job: bool) -> None:
    colours = has_colours()
    colour = _COLOURS.get(entry.type)
    parts = [f"{entry.position:>6}", at(entry.time)]
    parts += [printable(entry.job or "-")] if with_job else []
    if form is Form.WIDE:
        parts += [printable(entry.actor), entry.request_id or "-", f"epoch {entry.epoch or '-'}", entry.type]
    why = printable(entry.why)
    parts.append(click.style(why, fg=colour) if colours and colour else why)
    click.echo("  ".join(parts), color=colours)
