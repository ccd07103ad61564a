"""Stopping, starting, restarting and deleting a job."""

from typing import Annotated

import msgspec
from msgspec import Meta
from sanic import HTTPResponse, Request

from server.api.answers import ASYNC, AcceptedBody, accepted, answer, job_body, status_of
from server.api.commands import JobCommands
from server.api.endpoint import JOB, Endpoint, JobPath
from server.api.once import show_tag_of
from server.api.parameters import query_of
from server.api.validation import place_in_graph
from server.api.visitor import context_of
from server.failpoints import Failpoint, hit
from server.jobs.errors import InvalidGraph
from server.jobs.ids import JobId
from server.jobs.orders import DeleteJob, Grace, RestartJob, StartJob, StopJob
from server.jobs.words import Outcome
from server.wire.bodies import JobBody


class EndingQuery(msgspec.Struct, frozen=True, kw_only=True):
    grace: Annotated[
        Grace | None,
        Meta(
            description="seconds that its engine has to finish what it has begun; the configuration's without it"
        ),
    ] = None
    force: Annotated[bool, Meta(description="kill its engine at once; as a grace of 0")] = False

    @property
    def seconds(self) -> float | None:
        return 0.0 if self.force else self.grace


class RestartQuery(EndingQuery, frozen=True, kw_only=True):
    only_failed: Annotated[bool, Meta(description="do nothing to a job that is not FAILED")] = False


async def stop(request: Request, path: JobPath, query: EndingQuery) -> JobBody | AcceptedBody:
    """Ends a job's engine and starts none until somebody asks for it, also over restarts of the server.

    Its ports are free then. The status of a stopped job is PENDING, and `desired` says stopped. A job that has
    ended stays as it is. Asked for again with less grace, it shortens what was given before.
    """
    return await _order(request, StopJob(job_id=path.job_id, grace=query.seconds))


async def start(request: Request, path: JobPath) -> JobBody | AcceptedBody:
    """Starts a job that was stopped or has ended, or whose next attempt is waited for.

    Earlier failures count no more. A job that runs stays as it is.
    """
    return await _order(request, StartJob(job_id=path.job_id))


async def restart(request: Request, path: JobPath, query: RestartQuery) -> JobBody | AcceptedBody:
    """Ends a job's engine, if it has one, and starts another.

    Earlier failures count no more. Connections to the job's ports wait meanwhile.
    """
    order = RestartJob(job_id=path.job_id, only_failed=query.only_failed, grace=query.seconds)
    return await _order(request, order)


async def _order(request: Request, order: StopJob | StartJob | RestartJob) -> JobBody | AcceptedBody:
    """Raises: NoSuchJob; InvalidGraph, when it was started and is FAILED."""
    commands: JobCommands = request.app.ctx.commands
    ordered = await commands.order(order, context_of(request), wait=not wants_async(request))
    hit(Failpoint.API_BEFORE_ANSWER)
    job = ordered.job
    show_tag_of(request, job)
    if ordered.is_over and ordered.is_news and job.outcome is Outcome.FAILED:
        raise InvalidGraph(job.error, place_in_graph(job.error))
    return status_of(job) if ordered.is_over else accepted(job)


async def delete(request: Request, job_id: JobId) -> HTTPResponse:
    # ModelBox ignores the query of a delete; so do we, but for this
    grace = query_of(request, EndingQuery, ignore_unknown=True).seconds
    wait = not wants_async(request)
    job = await request.app.ctx.commands.delete(
        DeleteJob(job_id=job_id, grace=grace), context_of(request), wait=wait
    )
    if job is None:
        return answer(204)
    show_tag_of(request, job)
    return answer(202, job_body(job), None if wait else ASYNC)


def wants_async(request: Request) -> bool:
    preferences = ",".join(request.headers.getall("prefer", ()))
    return any(part.split(";")[0].strip().lower() == "respond-async" for part in preferences.split(","))


ENDPOINTS = tuple(
    Endpoint(method="POST", path=f"{JOB}{handler.__name__}", handler=handler, tag="jobs", errors=(400, 404, 503))
    for handler in (stop, start, restart)
)
