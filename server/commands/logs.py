"""`job logs`."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from server.commands.connection_line import connection_shown
from server.commands.output import Form, end_when_reader_goes, print_item
from server.commands.text import at, has_colours, printable
from server.wire.logs import Level, LogEntry

if TYPE_CHECKING:
    from server.client import Client
    from server.client.streams import Told

_COLOURS = {
    Level.DEBUG: "bright_black",
    Level.WARN: "yellow",
    Level.ERROR: "red",
    Level.FATAL: "red",
}


@dataclass(frozen=True)
class Wish:
    """What of which log."""

    job_id: str
    attempt: int | None
    tail: int | None
    since: str | None
    level: str | None
    follow: bool


def logs(client: "Client", wish: Wish, form: Form) -> int:
    if not wish.follow:
        for entry in _entries(client, wish, lambda _: None):
            _show(entry, form)
        return 0
    end_when_reader_goes()
    with connection_shown() as told:
        for entry in _entries(client, wish, told):
            _show(entry, form)
            sys.stdout.flush()
    return 0


def _entries(client: "Client", wish: Wish, told: "Told") -> Iterator[LogEntry]:
    return client.logs(
        wish.job_id,
        attempt=wish.attempt,
        tail=wish.tail,
        since=wish.since,
        level=wish.level,
        follow=wish.follow,
        told=told,
    )


def _show(entry: LogEntry, form: Form) -> None:
    if not form.is_for_people:
        print_item(entry, form)
        return
    colours = has_colours()
    colour = _COLOURS.get(entry.level) if colours and entry.level else None
    line = line_of(entry, with_attempt=form is Form.WIDE)
    click.echo(click.style(line, fg=colour) if colour else line, color=colours)


def line_of(entry: LogEntry, *, with_attempt: bool) -> str:
    """As the log has it: entries of units with time, level and node; what was printed as it is."""
    parts = [f"{entry.attempt:>3}"] if with_attempt else []
    parts += [at(entry.time)] if entry.time and (entry.level or with_attempt) else []
    parts += [f"{entry.level:6}"] if entry.level else []
    parts += [f"[{entry.node}]"] if entry.node else []
    return printable(" ".join([*parts, entry.text]))
