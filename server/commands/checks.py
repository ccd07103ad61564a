"""`job validate`: what is wrong with flows, before they are jobs."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from server.commands.exits import Exit
from server.commands.flow_files import FlowFile, files_in, is_flow, read_flow
from server.commands.output import Form, print_value
from server.commands.text import printable
from server.wire.validation import Problem, Validation

if TYPE_CHECKING:
    from server.client import Client


def problems_of(client: "Client", flow: FlowFile) -> list[str]:
    """All that the server finds wrong, a line each. Raises: ClientError."""
    return [_line(flow, problem) for problem in _verdict(client, flow).problems]


def validate(client: "Client", paths: Sequence[Path], form: Form) -> int:
    """Prints what the server finds wrong with the flows in files and folders. Raises: Unusable, ClientError."""
    verdicts = [(flow, _verdict(client, flow)) for flow in map(read_flow, flow_files(paths))]
    if form.is_for_people:
        for flow, verdict in verdicts:
            _print(flow, verdict)
    else:
        print_value([_plain(flow, verdict) for flow, verdict in verdicts], form)
    return Exit.OK if all(verdict.valid for _, verdict in verdicts) else Exit.WRONG


def validate_here(paths: Sequence[Path], *, as_json: bool) -> int:
    """As `flow check`, without a server."""
    from server.flow.commands.check import check

    files = flow_files(paths)
    return check(files, {}, as_json=as_json) if files else Exit.OK


def flow_files(paths: Sequence[Path]) -> list[Path]:
    """The files that are named, and those in folders that hold flows."""
    return [path for path, is_named in files_in(paths) if is_named or is_flow(path)]


def _verdict(client: "Client", flow: FlowFile) -> Validation:
    return client.validate(flow.source, graph_format=flow.graph_format, options=flow.options)


def _print(flow: FlowFile, verdict: Validation) -> None:
    for warning in verdict.warnings:
        click.echo(printable(f"{flow.path}: warning: {warning}"), err=True)
    for problem in verdict.problems:
        click.echo(printable(_line(flow, problem)))
    if verdict.valid:
        click.echo(f"{flow.path}: ok, {verdict.nodes} nodes, {verdict.edges} edges")


def _line(flow: FlowFile, problem: Problem) -> str:
    line = f":{problem.source_line}" if problem.source_line and not flow.is_body else ""
    return f"{flow.path}{line}: {problem.message}"


def _plain(flow: FlowFile, verdict: Validation) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(verdict))
    return {"file": str(flow.path), "job_id": flow.job_id, **plain}
