"""How values look on a terminal and in a pipe."""

import os
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import click

from server.jobs.words import JobStatus

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_COLOURS = {
    JobStatus.RUNNING: "green",
    JobStatus.SUCCEEDED: "blue",
    JobStatus.FAILED: "red",
    JobStatus.CREATEING: "cyan",
    JobStatus.PENDING: "yellow",
    JobStatus.DELETEING: "yellow",
    JobStatus.UNKNOWN: "magenta",
}
_GAP = "  "


@dataclass(frozen=True)
class Cell:
    text: str
    colour: str | None = None


def status_cell(word: JobStatus | str) -> Cell:
    return Cell(str(word), _COLOURS.get(JobStatus(word)))


def has_colours() -> bool:
    """Whether stdout shows colours: a terminal, unless NO_COLOR or a dumb TERM say otherwise."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def printable(text: str) -> str:
    """In one line and without what a terminal would obey: texts from the server may hold anything."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}" if found[0] != "\n" else " / ", text)


def table(head: Sequence[str], rows: Sequence[Sequence[Cell]], *, colours: bool, width: int | None) -> list[str]:
    """Lines with aligned columns, cut at `width` if it is given; the last column is as long as it likes."""
    cells = [[Cell(name, "bright_black") for name in head], *rows]
    shown = [[printable(cell.text) for cell in row] for row in cells]
    widths = [max(len(row[n]) for row in shown) for n in range(len(head))]
    lines = []
    for row, texts in zip(cells, shown, strict=True):
        parts: list[str] = []
        left = width if width is not None else sys.maxsize
        for cell, text, column in zip(row, texts, widths, strict=True):
            is_last = len(parts) == len(texts) - 1
            padded = (text if is_last else text.ljust(column) + _GAP)[: max(left, 0)]
            left -= len(padded)
            parts.append(click.style(padded, fg=cell.colour) if colours and cell.colour else padded)
        lines.append("".join(parts).rstrip())
    return lines


def print_table(head: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    colours = has_colours()
    for line in table(head, rows, colours=colours, width=width):
        click.echo(line, color=colours)


def ago(moment: datetime | None, now: datetime | None = None) -> str:
    """How long ago, such as 45s, 3m, 2h, 5d; empty for never."""
    if moment is None:
        return ""
    return span(((now or datetime.now(UTC)) - moment).total_seconds())


def span(seconds: float) -> str:
    """One number and its unit, as large as it can be."""
    whole = max(int(seconds), 0)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if whole >= 2 * size:
            return f"{whole // size}{unit}"
    return f"{whole}s"


def at(moment: datetime) -> str:
    """Such as 2026-03-02T08:31:00.123Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
