"""The job resource: create, status, list, delete."""

from urllib.parse import unquote

from sanic import Blueprint, HTTPResponse, Request

from server.api import orders
from server.api.answers import ASYNC, answer, job_body
from server.api.changes import change
from server.api.create_request import parse_create
from server.api.endpoint import VALIDATE, Handler
from server.api.endpoints import AboutJob
from server.api.full_status import answer_in_full, wants_full
from server.api.once import carefully
from server.api.orders import wants_async
from server.api.validation import dry_run, place_in_graph, validate, wants_dry_run
from server.api.visitor import context_of, visitor_of
from server.failpoints import Failpoint, hit
from server.jobs.errors import InvalidCommand, InvalidGraph, NoSuchJob
from server.jobs.ids import JobId
from server.jobs.words import Outcome

BASE = "/v1/modelbox/job"
ALLOW = "GET, HEAD, PUT, POST, PATCH, DELETE"


def blueprint() -> Blueprint:
    bp = Blueprint("jobs")
    for uri in (BASE, f"{BASE}/<rest:path>"):
        kind = "base" if uri == BASE else "below"
        bp.add_route(carefully(create), uri, methods=["PUT", "POST"], name=f"create_{kind}")
        bp.add_route(read, uri, methods=["GET", "HEAD"], name=f"read_{kind}")
        bp.add_route(carefully(patch), uri, methods=["PATCH"], name=f"change_{kind}")
        bp.add_route(carefully(delete), uri, methods=["DELETE"], name=f"delete_{kind}")
    return bp


async def create(request: Request, rest: str = "") -> HTTPResponse:
    """Path segments below the base are ignored, as ModelBox does; but for POST .../validate, and what is done to a
    job with POST .../ID/WORD."""
    if request.method == "POST" and rest == VALIDATE:
        return await validate(request)
    segments = _segments(rest)
    verb = _about_job(request, request.method, segments)
    if verb is not None:
        done = await verb(request, segments[0])
        assert done is not None  # nothing that is done to a job is answered with a stream
        return done
    only_try = wants_dry_run(request)
    command = parse_create(request.body, request.app.ctx.restart_policy, request.app.ctx.limits)
    if only_try:
        return await dry_run(request, command)
    wait = not wants_async(request)
    job = await request.app.ctx.commands.create(command, context_of(request), wait=wait)
    hit(Failpoint.API_BEFORE_ANSWER)
    headers = {"Location": f"{BASE}/{job.job_id}"} | request.app.ctx.view.headers_of(job)
    if not wait:
        return answer(202, job_body(job), headers | ASYNC)
    if job.outcome is Outcome.FAILED:
        raise InvalidGraph(job.error, place_in_graph(job.error))
    return answer(201, headers=headers)


async def read(request: Request, rest: str = "") -> HTTPResponse | None:
    segments = _segments(rest)
    view = request.app.ctx.view
    if segments == ["list", "all"]:
        return answer(200, await view.list_all(visitor_of(request).scope))
    about_job = _about_job(request, "GET", segments)
    if about_job is not None:
        return await about_job(request, segments[0])
    if len(segments) > 1:
        raise InvalidCommand(f"GET {request.path} is no job and no list; use {BASE}/ID or {BASE}/list/all")
    if request.query_string and wants_full(request):
        return await answer_in_full(request, JobId(segments[0]))
    status = await view.status(JobId(segments[0]))
    if status is None:
        raise NoSuchJob
    return answer(200, *status)


async def patch(request: Request, rest: str = "") -> HTTPResponse:
    segments = _segments(rest)
    if len(segments) > 1 or not segments[0]:
        raise NoSuchJob
    return await change(request, JobId(segments[0]), context_of(request), wait=not wants_async(request))


async def delete(request: Request, rest: str = "") -> HTTPResponse:
    segments = _segments(rest)
    if len(segments) > 1 or not segments[0]:
        raise NoSuchJob
    return await orders.delete(request, JobId(segments[0]))


def _about_job(request: Request, method: str, segments: list[str]) -> Handler | None:
    if len(segments) != 2 or not segments[0]:
        return None
    about_job: AboutJob = request.app.ctx.about_job
    return about_job.get((method, segments[1]))


def _segments(rest: str) -> list[str]:
    """The path below the base, split first and decoded then, so that an escaped slash stays in its segment."""
    return [unquote(part) if "%" in part else part for part in rest.split("/")]
