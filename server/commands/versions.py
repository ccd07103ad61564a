"""`job versions`, `job diff` and `job rollback`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from server.commands.exits import Exit
from server.commands.output import Form, print_value, under_way
from server.commands.text import Cell, at, has_colours, print_table, printable
from server.wire.versions import VersionState

if TYPE_CHECKING:
    from server.client import Client
    from server.wire.versions import Changed, VersionDiff

_STATE_COLOURS = {VersionState.CURRENT: "green", VersionState.FAILED: "red", VersionState.PENDING: "yellow"}
_LINE_COLOURS = {"+": "green", "-": "red", "~": "yellow", "@": "cyan"}


def versions(client: "Client", job_id: str, form: Form) -> int:
    found = list(client.versions(job_id))
    if not form.is_for_people:
        print_value(found, form)
        return Exit.OK
    rows = [
        [
            Cell(str(one.version)),
            Cell(one.state, _STATE_COLOURS.get(one.state)),
            Cell(at(one.at)),
            Cell(one.actor),
            Cell(one.graph_digest[:12]),
            Cell(f"back to {one.back_to}" if one.back_to else one.error),
        ]
        for one in found
    ]
    print_table(["VERSION", "STATE", "AT", "BY", "GRAPH", "WHY"], rows)
    return Exit.OK


def diff(client: "Client", job_id: str, before: int | None, after: int | None, form: Form) -> int:
    told = client.diff(job_id, from_version=before, to_version=after)
    if not form.is_for_people:
        print_value(told, form)
        return Exit.OK
    colours = has_colours()
    for line in lines_of(told):
        colour = _LINE_COLOURS.get(line[:1]) if colours else None
        click.echo(click.style(printable(line), fg=colour) if colour else printable(line), color=colours)
    return Exit.OK


def lines_of(told: "VersionDiff") -> Iterator[str]:
    yield f"{told.job}: version {told.from_version} -> version {told.to_version}"
    if told.equal:
        yield "they are equal"
    for remark in told.remarks:
        yield f"! {remark}"
    for node in told.nodes.removed:
        yield f"- node {node.name}"
    for node in told.nodes.added:
        attributes = ", ".join(f"{name}={value}" for name, value in node.attributes.items())
        yield f"+ node {node.name}: {attributes}"
    for changed in told.nodes.changed:
        for name, values in changed.attributes.items():
            yield f"~ node {changed.name}: {_change(name, values)}"
    yield from (f"- edge {edge}" for edge in told.edges.removed)
    yield from (f"+ edge {edge}" for edge in told.edges.added)
    yield from (f"~ setting {_change(name, values)}" for name, values in told.settings.items())
    yield from (f"~ option {_change(name, values)}" for name, values in told.options.items())
    yield from told.text.splitlines()


def _change(name: str, values: "Changed") -> str:
    return f"{name}: {_shown(values.before)} -> {_shown(values.after)}"


def _shown(value: Any) -> str:
    return "(none)" if value is None else str(value)


def rollback(client: "Client", job_id: str, to: int | None, if_match: str | None = None) -> int:
    with under_way(f"rolling back {job_id}"):
        body = client.rollback(job_id, to=to, if_match=if_match)
    click.echo(f"{printable(job_id)} {body.job_status}, version {body.version or 1}")
    return Exit.OK
