"""`job top`: the jobs as they are, again and again."""

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count, islice
from typing import TYPE_CHECKING, TypeVar

import click

from server.commands import usage
from server.commands.jobs import cells_of, columns_of
from server.commands.output import Form
from server.commands.text import at, has_colours, status_cell, table
from server.commands.usage import Usage
from server.jobs.words import JobStatus

if TYPE_CHECKING:
    from server.client import Client
    from server.wire.job_rows import JobPage

MOST_ROWS = 1000
_FRAME = 3
"""Lines that are no jobs: the time, the counts, the heading."""

_BEFORE_USAGE = 4
"""Columns: job, status, changed, attempt."""

T = TypeVar("T")
Show = Callable[[list[str]], None]


def top(client: "Client", *, sort: str, interval: float, rounds: int | None, form: Form) -> int:
    """Goes on while the server is away. In a pipe each round is a block of lines, with an empty line behind it."""
    from server.client import ClientError, Unavailable, Unreachable

    before = usage.NO_USAGE
    with _screen() as (show, rows):
        for number in islice(count(), rounds):
            if number:
                time.sleep(interval)
            try:
                page = client.job_page(sort=sort, limit=max(rows(), 1))
                now = Usage.of(client.metrics())
            except ClientError as error:
                if not isinstance(error, (Unreachable, Unavailable)) or number == 0:
                    raise
                show([f"{at(datetime.now(UTC))}  {error}"])
                continue
            show(_lines(page, form, now, before))
            before = now
    return 0


def _lines(page: "JobPage", form: Form, now: Usage, before: Usage) -> list[str]:
    colours = has_colours()
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    words = [(word, page.counts[word]) for word in JobStatus if page.counts.get(word)]
    counts = [_coloured(f"{number} {word}", word, colours=colours) for word, number in words]
    columns = columns_of(form)
    head = [name for name, _, _ in columns]
    rows = [
        _with_usage(row, usage.cells(str(job.job_id), now, before))
        for job, row in zip(page.jobs, cells_of(page.jobs, columns), strict=True)
    ]
    body = table(_with_usage(head, list(usage.HEADS)), rows, colours=colours, width=width)
    return [f"{at(datetime.now(UTC))}  position {page.position}", ", ".join(counts) or "no jobs", *body]


def _with_usage(row: list[T], cells: list[T]) -> list[T]:
    return [*row[:_BEFORE_USAGE], *cells, *row[_BEFORE_USAGE:]]


def _coloured(text: str, word: JobStatus, *, colours: bool) -> str:
    return click.style(text, fg=status_cell(word).colour) if colours else text


@contextmanager
def _screen() -> Iterator[tuple[Show, Callable[[], int]]]:
    """Where to show lines, and how many jobs there is room for."""
    if not sys.stdout.isatty():
        yield _print, lambda: MOST_ROWS
        return
    from rich.live import Live
    from rich.text import Text

    with Live(screen=True, auto_refresh=False) as live:
        yield (
            lambda lines: live.update(Text.from_ansi("\n".join(lines)), refresh=True),
            lambda: min(shutil.get_terminal_size().lines - _FRAME, MOST_ROWS),
        )


def _print(lines: list[str]) -> None:
    for line in [*lines, ""]:
        click.echo(line)
    sys.stdout.flush()
