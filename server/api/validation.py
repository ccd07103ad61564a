"""Saying what is wrong with a job before there is one: `POST /job/validate`, and a create with `dry_run`."""

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from sanic import HTTPResponse, Request
from sanic.exceptions import ServiceUnavailable

from server.api.answers import answer
from server.api.create_request import command_of, fields_of
from server.api.parameters import InvalidParameter
from server.api.visitor import context_of
from server.flow.examine.confined import Examiner, TooMany
from server.flow.examine.places import spot_of
from server.flow.examine.task import Outcome, Task
from server.flow.examine.verdict import Finding, Verdict
from server.jobs.commands import CreateJob, Graph
from server.jobs.errors import InvalidCommand, InvalidGraph, JobError, Place
from server.wire.bodies import ErrorBody
from server.wire.validation import Problem, Validation

RETRY_AFTER_SECONDS = 1
DRY_RUN = "dry_run"
GRAPH = "job_graph"
_STAND_IN = {"job_id": "some-job", GRAPH: "some graph"}


class CreateQuery(msgspec.Struct, frozen=True, kw_only=True):
    dry_run: Annotated[
        bool, Meta(description="say what would come of it, 200 when it would be created, and change nothing")
    ] = False


async def validate(request: Request) -> HTTPResponse:
    fields = fields_of(request.body)
    if not isinstance(fields, dict):
        raise InvalidCommand("the body must be an object with job_graph")
    problems, command = _problems_of_fields(request, fields)
    verdict = Verdict() if command is None else await _examined(request, command.graph)
    problems += map(_problem, verdict.findings)
    return _answer_valid(200, verdict, problems)


async def dry_run(request: Request, command: CreateJob) -> HTTPResponse:
    """What `create` would answer, with all that is wrong. Raises: as create does."""
    await request.app.ctx.commands.would_create(command, context_of(request))
    verdict = await _examined(request, command.graph)
    if not verdict.findings:
        return _answer_valid(200, verdict, [])
    first = verdict.findings[0].message
    body = ErrorBody(
        error_code=InvalidGraph.code,
        error_msg=str(InvalidGraph(first)),
        detail=place_in_graph(first) or Place(field=GRAPH),
        problems=[_problem(finding) for finding in verdict.findings],
    )
    return answer(400, msgspec.json.encode(body))


def wants_dry_run(request: Request) -> bool:
    """ModelBox ignores the query of a create; so do we, but for this. Raises: InvalidParameter."""
    given = [value for name, value in request.get_query_args(keep_blank_values=True) if name == DRY_RUN]
    if not given:
        return False
    if len(given) > 1:
        raise InvalidParameter(DRY_RUN, "given twice")
    if given[0].lower() not in ("true", "false", "1", "0"):
        raise InvalidParameter(DRY_RUN, "must be true or false")
    return given[0].lower() in ("true", "1")


def place_in_graph(message: str) -> Place | None:
    """Where in the graph a failure is, when its message says so."""
    spot = spot_of(message)
    return Place(field=GRAPH, node=spot.node, line=spot.line) if spot.node or spot.line else None


async def examined(examiner: Examiner, task: Task) -> Outcome:
    """Raises: ServiceUnavailable, when too many graphs are being examined."""
    try:
        return await examiner.examine(task)
    except TooMany:
        raise ServiceUnavailable(
            "too many graphs are being examined; try again", headers={"Retry-After": str(RETRY_AFTER_SECONDS)}
        ) from None


async def _examined(request: Request, graph: Graph) -> Verdict:
    task = Task(source=graph.source, format=graph.format, secrets=request.app.ctx.secrets)
    outcome = await examined(request.app.ctx.examiner, task)
    return outcome.verdict


def _problems_of_fields(request: Request, fields: dict[str, Any]) -> tuple[list[Problem], CreateJob | None]:
    """What is wrong beside the graph's contents; and a command with the graph, if that can be looked at."""
    problems: list[Problem] = []
    found: CreateJob | None = None
    for name, trial in _trials(fields):
        try:
            command = command_of(trial, request.app.ctx.restart_policy, request.app.ctx.limits)
        except JobError as error:
            place = error.place.field if error.place is not None else name
            problems.append(Problem(error_code=error.code, message=str(error), field=place))
        else:
            found = command if name == GRAPH else found
    return problems, found


def _trials(fields: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Bodies in which one field is as it was given, and what else a body needs is right."""
    if "job_id" in fields:
        yield "job_id", _STAND_IN | {"job_id": fields["job_id"]}
    if "options" in fields:
        yield "options", _STAND_IN | {"options": fields["options"]}
    graph = {name: value for name, value in fields.items() if name.startswith(GRAPH)}
    yield GRAPH, {"job_id": _STAND_IN["job_id"]} | graph


def _problem(finding: Finding) -> Problem:
    spot = finding.spot
    return Problem(
        error_code=InvalidGraph.code,
        message=finding.message,
        field=GRAPH,
        status=finding.status,
        node=spot.node,
        port=spot.port,
        line=spot.line,
        source_line=finding.source_line,
        did_you_mean=spot.did_you_mean,
        available=spot.available,
    )


def _answer_valid(status: int, verdict: Verdict, problems: list[Problem]) -> HTTPResponse:
    body = Validation(
        valid=not problems,
        problems=problems,
        warnings=list(verdict.warnings),
        nodes=verdict.nodes,
        edges=verdict.edges,
    )
    return answer(status, msgspec.json.encode(body))
