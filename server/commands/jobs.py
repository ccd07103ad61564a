"""`job list` and `job show`."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click
import msgspec

from server.commands.output import Form, print_value
from server.commands.text import Cell, ago, at, has_colours, print_table, printable, status_cell
from server.jobs.labels import labels_text
from server.jobs.words import JobStatus
from server.wire.full_status import NodeState

if TYPE_CHECKING:
    from server.client import Client
    from server.wire.full_status import FullStatus, NodeHealth
    from server.wire.job_rows import JobRow

Column = tuple[str, str, "Callable[[Any], Cell]"]
"""Heading, the field that it shows, and how."""


def _text(value: Any) -> Cell:
    return Cell("" if value is None else str(value))


_COLUMNS: tuple[Column, ...] = (
    ("JOB", "job_id", _text),
    ("STATUS", "job_status", status_cell),
    ("CHANGED", "changed", lambda value: Cell(ago(value))),
    ("ATTEMPT", "attempt", _text),
    ("ENDPOINTS", "endpoints", lambda value: Cell(" ".join(value))),
)
_WIDE: tuple[Column, ...] = (
    ("CREATED", "created", lambda value: Cell(at(value))),
    ("FAILURES", "failures", _text),
    ("RETRY", "next_retry", lambda value: Cell("" if value is None else at(value))),
    ("ENGINE", "engine", lambda value: Cell("" if value is None else f"{value.host}:{value.pid}")),
    ("LABELS", "labels", lambda value: Cell(labels_text(value))),
    ("VERSION", "version", _text),
    ("ORIGIN", "origin", _text),
    ("GRAPH", "graph_digest", lambda value: Cell(value[:12])),
)
_ERROR: Column = ("ERROR", "job_error_msg", _text)


def list_jobs(
    client: "Client", statuses: Sequence[JobStatus], text: str, labels: Sequence[str], sort: str, form: Form
) -> int:
    columns = columns_of(form)
    fields = [field for _, field, _ in columns] if form.is_for_people else []
    rows = list(client.jobs(statuses=statuses, text=text, labels=labels, sort=sort, fields=fields))
    if not form.is_for_people:
        print_value(rows, form)
        return 0
    print_rows(rows, columns)
    return 0


def columns_of(form: Form) -> tuple[Column, ...]:
    return (*_COLUMNS, *(_WIDE if form is Form.WIDE else ()), _ERROR)


def print_rows(rows: "Sequence[JobRow | NodeHealth]", columns: Sequence[Column]) -> None:
    print_table([head for head, _, _ in columns], cells_of(rows, columns))


def cells_of(rows: "Sequence[JobRow | NodeHealth]", columns: Sequence[Column]) -> list[list[Cell]]:
    return [[show(getattr(row, field)) for _, field, show in columns] for row in rows]


def show_job(client: "Client", job_id: str, form: Form) -> int:
    etag = client.etag(job_id)  # before the rest: if that is newer, nothing can be done to it with this
    status = client.full_status(job_id)
    if not form.is_for_people:
        print_value({**msgspec.to_builtins(status), "etag": etag}, form)
        return 0
    colours = has_colours()
    described = [*_described(status, form), ("etag", etag)]
    width = max(len(name) for name, _ in described) + 2
    for name, value in described:
        colour = status_cell(value).colour if colours and name == "job_status" else None
        shown = printable(value)
        click.echo(f"{name:{width}}{click.style(shown, fg=colour) if colour else shown}", color=colours)
    if status.nodes:
        columns = (*_NODE_COLUMNS, *(_WIDE_NODE_COLUMNS if form is Form.WIDE else ()), _NODE_REASON)
        click.echo()
        print_rows(status.nodes, columns)
    return 0


_NODE_COLOURS = {
    NodeState.RUNNING: "green",
    NodeState.FINISHED: "blue",
    NodeState.FAILED: "red",
    NodeState.STALLED: "yellow",
}
_NODE_COLUMNS: tuple[Column, ...] = (
    ("NODE", "node", _text),
    ("UNIT", "unit", _text),
    ("STATE", "state", lambda value: Cell(value, _NODE_COLOURS.get(value))),
    ("IN", "buffers_in", _text),
    ("OUT", "buffers_out", _text),
    ("QUEUED", "queued", _text),
    ("ERRORS", "errors", _text),
    ("PROGRESS", "last_progress", lambda value: Cell(ago(value))),
)
_WIDE_NODE_COLUMNS: tuple[Column, ...] = (("CALLS", "calls", _text), ("IN CALL", "in_call", _text))
_NODE_REASON: Column = ("REASON", "reason", _text)
_BELOW = ("nodes",)
_WIDE_ONLY = ("options_in_force",)


def _described(status: "FullStatus", form: Form) -> list[tuple[str, str]]:
    """Name and value of each field, in their order; one line for each part of those that have parts."""
    lines: list[tuple[str, str]] = []
    for name in status.__struct_fields__:
        value = getattr(status, name)
        if name in _BELOW or (name in _WIDE_ONLY and form is not Form.WIDE):
            continue
        if value not in (None, (), "", {}):
            lines += _lines_of(name, value)
    return lines


def _lines_of(name: str, value: Any) -> list[tuple[str, str]]:
    if isinstance(value, msgspec.Struct):
        given = msgspec.json.decode(msgspec.json.encode(value))
        return [(name, _in_line(given))] if given else []
    if isinstance(value, tuple):
        return [(name, str(each)) for each in value]
    if isinstance(value, dict):
        return [(name, labels_text(value))]
    return [(name, at(value) if hasattr(value, "astimezone") else str(value))]


def _in_line(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_in_line(each)}" for key, each in value.items() if each not in (None, ""))
    if isinstance(value, list):
        return "; ".join(_in_line(each) for each in value)
    return str(value)
