"""Giving a job another graph or other options: PATCH."""

from sanic import HTTPResponse, Request

from server.api.answers import ASYNC, answer, job_body
from server.api.change_request import parse_change
from server.api.commands import Changed
from server.api.once import show_tag_of
from server.api.validation import place_in_graph
from server.failpoints import Failpoint, hit
from server.jobs.commands import Context
from server.jobs.errors import InvalidGraph
from server.jobs.ids import JobId


async def change(request: Request, job_id: JobId, context: Context, *, wait: bool) -> HTTPResponse:
    """Raises: NoSuchJob, ChangeUnderWay, InvalidCommand, InvalidGraph."""
    ctx = request.app.ctx
    command = parse_change(job_id, request.body, ctx.restart_policy, ctx.limits)
    changed = await ctx.commands.change(command, context, wait=wait)
    show_tag_of(request, changed.job)
    hit(Failpoint.API_BEFORE_ANSWER)
    return changed_answer(changed, wait=wait)


def changed_answer(changed: Changed, *, wait: bool) -> HTTPResponse:
    """Raises: InvalidGraph, when nothing came of it."""
    ended_well(changed)
    if changed.is_over:
        return answer(200, job_body(changed.job))
    return answer(202, job_body(changed.job), None if wait else ASYNC)


def ended_well(changed: Changed) -> None:
    """Raises: InvalidGraph, when nothing came of it."""
    if changed.error:
        raise InvalidGraph(changed.error, place_in_graph(changed.error))
