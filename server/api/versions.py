"""The versions of a job: which there were, how they differ, and going back to one."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta
from sanic import Request

from server.api import comparison as compare
from server.api.answers import AcceptedBody, accepted, status_of
from server.api.changes import ended_well
from server.api.endpoint import JOB, Endpoint, JobPath
from server.api.once import show_tag_of
from server.api.orders import wants_async
from server.api.parameters import InvalidParameter
from server.api.validation import examined
from server.api.visitor import context_of
from server.failpoints import Failpoint, hit
from server.flow.examine.task import Task, View
from server.flow.plan import Plan, plan_from_json
from server.jobs import events as e
from server.jobs.change import ChangeJob
from server.jobs.errors import NoSuchJob
from server.jobs.graph import Graph
from server.jobs.ids import JobId
from server.jobs.state import Job
from server.store.versions import VersionEvents
from server.wire.bodies import JobBody
from server.wire.versions import JobVersion, VersionDiff, VersionsPage, VersionState

LOOKED_BACK = 200
"""How many versions are looked through for one that the job had."""


Number = Annotated[int, Meta(ge=1)]


class VersionsQuery(msgspec.Struct, frozen=True, kw_only=True):
    before: Annotated[Number | None, Meta(description="only versions with smaller numbers")] = None
    limit: Annotated[int, Meta(ge=1, le=1000, description="versions a page")] = 100


class DiffQuery(msgspec.Struct, frozen=True, kw_only=True, rename={"from_version": "from", "to_version": "to"}):
    from_version: Annotated[
        Number | None, Meta(description="a version; the one that the job had before `to`, if left out")
    ] = None
    to_version: Annotated[Number | None, Meta(description="a version; the current one, if left out")] = None


class RollbackQuery(msgspec.Struct, frozen=True, kw_only=True):
    to: Annotated[
        Number | None, Meta(description="a version; the one that the job had before this, if left out")
    ] = None


async def versions(request: Request, path: JobPath, query: VersionsQuery) -> VersionsPage:
    """What the job has been, and what it was to become, newest first.

    Version 1 is what it was created with; each change is one more, whether it came to something or not.
    """
    job = await _job(request, path.job_id)
    newest = job.changes.newest
    before = min(query.before or newest + 1, newest + 1)
    found = await _versions(request, job, before, query.limit)
    is_more = bool(found) and found[-1].version > 1
    return VersionsPage(
        job=job.job_id, version=job.revision, versions=found, next=found[-1].version if is_more else None
    )


async def diff(request: Request, path: JobPath, query: DiffQuery) -> VersionDiff:
    """How two versions of a job differ: node by node, edge by edge, in their options, and as text."""
    job = await _job(request, path.job_id)
    number = query.to_version or job.revision
    to = await _version(request, job, number, "to")
    if query.from_version is not None:
        before = await _version(request, job, query.from_version, "from")
    else:
        before = await _had_before(request, job, number, "from")
    old, new = await _graph(request, before), await _graph(request, to)
    result = VersionDiff(
        job=job.job_id,
        from_version=before.version,
        to_version=to.version,
        equal=(before.graph_digest, before.options) == (to.graph_digest, to.options),
        options=compare.compare_options(before.options, to.options),
    )
    return result if old.digest == new.digest else await _with_graphs(request, result, old, new)


async def rollback(request: Request, path: JobPath, query: RollbackQuery) -> JobBody | AcceptedBody:
    """Gives the job the graph and options of an earlier version, as a new version.

    Everything is as for a change with that content: what runs goes on until the new engine is ready.
    `Prefer: respond-async` has it answered with 202 as soon as it is on record.
    """
    job = await _job(request, path.job_id)
    if query.to is not None:
        target = await _version(request, job, query.to, "to")
    else:
        target = await _had_before(request, job, job.revision, "to")
    command = ChangeJob(
        job_id=job.job_id,
        graph=await _graph(request, target),
        options=target.options,
        expected=job.revision,
        back_to=target.version,
    )
    changed = await request.app.ctx.commands.change(command, context_of(request), wait=not wants_async(request))
    show_tag_of(request, changed.job)
    hit(Failpoint.API_BEFORE_ANSWER)
    ended_well(changed)
    return status_of(changed.job) if changed.is_over else accepted(changed.job)


async def _job(request: Request, job_id: JobId) -> Job:
    job, _ = await request.app.ctx.graphs.find(job_id)
    return job  # type: ignore[no-any-return]


async def _versions(request: Request, job: Job, before: int, limit: int) -> list[JobVersion]:
    found = await request.app.ctx.history.versions(job.job_id, job.incarnation, before, limit)
    return [shown(one, job) for one in found]


async def _version(request: Request, job: Job, number: int, parameter: str) -> JobVersion:
    """Raises: InvalidParameter."""
    if number > job.changes.newest:
        raise InvalidParameter(parameter, f"there is no version {number}; the newest is {job.changes.newest}")
    found = await _versions(request, job, number + 1, 1)
    if not found:
        raise NoSuchJob("it was deleted meanwhile")
    return found[0]


async def _had_before(request: Request, job: Job, number: int, parameter: str) -> JobVersion:
    """The version that the job had before that one. Raises: InvalidParameter."""
    for version in await _versions(request, job, number, LOOKED_BACK):
        if version.applied_at is not None:
            return version
    raise InvalidParameter(parameter, f"there is no version before {number} that the job had; say which one")


def shown(found: VersionEvents, job: Job) -> JobVersion:
    """A version as its events tell it; `job` says which is the current one."""
    begun, outcome = found.begun, found.outcome
    event = begun.event
    assert isinstance(event, e.JobCreated | e.ChangeRequested)
    applied_at = begun.recorded_at if isinstance(event, e.JobCreated) else None
    error = ""
    if outcome is not None and isinstance(outcome.event, e.ChangeFailed):
        error = outcome.event.error
    elif outcome is not None:
        applied_at = outcome.recorded_at
    if found.number == job.revision:
        state = VersionState.CURRENT
    elif applied_at is not None:
        state = VersionState.PAST
    else:
        state = VersionState.FAILED if outcome is not None else VersionState.PENDING
    return JobVersion(
        version=found.number,
        state=state,
        at=begun.recorded_at,
        applied_at=applied_at,
        actor=begun.actor,
        request_id=begun.request_id,
        graph_digest=event.graph_digest,
        options=event.options,
        back_to=getattr(event, "back_to", 0) or None,
        error=error,
    )


async def _graph(request: Request, version: JobVersion) -> Graph:
    graph: Graph | None = await request.app.ctx.graphs.by_digest(version.graph_digest)
    if graph is None:
        raise NoSuchJob("it was deleted meanwhile")
    return graph


async def _with_graphs(request: Request, result: VersionDiff, old: Graph, new: Graph) -> VersionDiff:
    remarks: list[str] = []
    plans: list[Plan] = []
    for number, graph in ((result.from_version, old), (result.to_version, new)):
        plan = await _plan(request, graph)
        if isinstance(plan, Plan):
            plans.append(plan)
        else:
            remarks.append(f"nodes and edges are not compared, as version {number} cannot be built: {plan}")
    names = (f"version {result.from_version}", f"version {result.to_version}")
    text = await asyncio.to_thread(compare.compare_text, old, new, names)
    if text is None:
        remarks.append(f"the texts are not compared, as they have more than {compare.MOST_LINES} lines")
    result = msgspec.structs.replace(result, text=text or "", remarks=remarks)
    return _with_plans(result, plans)


def _with_plans(result: VersionDiff, plans: Sequence[Plan]) -> VersionDiff:
    if len(plans) != 2:
        return result
    before, after = plans
    return msgspec.structs.replace(
        result,
        nodes=compare.compare_nodes(before, after),
        edges=compare.compare_edges(before, after),
        settings=compare.compare_settings(before, after),
    )


async def _plan(request: Request, graph: Graph) -> Plan | str:
    """Or why there is none."""
    known = plan_from_json(graph.plan) if graph.plan is not None else None
    if known is not None:
        return known
    task = Task(source=graph.source, format=graph.format, plan=None, view=View.PLAN)
    outcome = await examined(request.app.ctx.examiner, task)
    plan = plan_from_json(outcome.shown) if outcome.shown is not None else None
    if plan is not None:
        return plan
    return outcome.verdict.findings[0].message if outcome.verdict.findings else "it cannot be compiled"


ENDPOINTS = (
    Endpoint(method="GET", path=f"{JOB}versions", handler=versions, tag="jobs", errors=(404, 503)),
    Endpoint(method="GET", path=f"{JOB}diff", handler=diff, tag="jobs", errors=(404, 503)),
    Endpoint(method="POST", path=f"{JOB}rollback", handler=rollback, tag="jobs", errors=(404, 409, 503)),
)
