"""`GET /v1/modelbox/job/ID?view=full`: all that is known of a job."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta
from sanic import HTTPResponse, Request

from server.api import node_health
from server.api.answers import answer, status_of
from server.api.job_graph import JobGraphs
from server.api.node_health import Health
from server.api.parameters import InvalidParameter
from server.config import EngineSection
from server.jobs.errors import NoSuchJob
from server.jobs.ids import JobId
from server.jobs.restart import policy_of, stall_after_of
from server.jobs.state import Job
from server.jobs.words import Actual, Desired, JobStatus, Outcome
from server.wire.full_status import FullStatus, OptionsInForce, StatusView
from server.wire.job_rows import EnginePlace, ServerDefaults

VIEW = "view"


class StatusQuery(msgspec.Struct, frozen=True, kw_only=True):
    view: Annotated[StatusView, Meta(description="full: all that is known of it, and how its nodes stand")] = (
        StatusView.PLAIN
    )


class FullStatuses:
    def __init__(self, graphs: JobGraphs, state_dir: Path, settings: EngineSection) -> None:
        self._graphs = graphs
        self._state_dir = state_dir
        self._settings = settings
        self.defaults = ServerDefaults(
            restart=settings.restart_policy, limits=settings.limits, stall_after=settings.stall_after
        )

    async def of(self, job_id: JobId) -> tuple[Job, FullStatus]:
        """Within two seconds, whatever engines do. Raises: NoSuchJob, StoreUnavailable."""
        job = await self._graphs.job(job_id)
        return job, full_status(job, await self.health(job), self._settings)

    async def health(self, job: Job) -> Health:
        """Raises: StoreUnavailable."""
        if job.engine is not None:
            return await node_health.ask(job, self._state_dir)
        return node_health.without_engine(job, await self._graphs.by_digest(job.graph_digest))


async def answer_in_full(request: Request, job_id: JobId) -> HTTPResponse:
    if not job_id:
        raise NoSuchJob
    job, status = await request.app.ctx.full_statuses.of(job_id)
    return answer(200, msgspec.json.encode(status), request.app.ctx.view.headers_of(job))


def wants_full(request: Request) -> bool:
    """ModelBox ignores the query of a status; so do we, but for this. Raises: InvalidParameter."""
    given = [value for name, value in request.get_query_args(keep_blank_values=True) if name == VIEW]
    if not given:
        return False
    if len(given) > 1:
        raise InvalidParameter(VIEW, "given twice")
    if given[0] not in list(StatusView):
        raise InvalidParameter(VIEW, f"there is no such view; there are: {', '.join(StatusView)}")
    return StatusView(given[0]) is StatusView.FULL


def full_status(job: Job, health: Health, settings: EngineSection) -> FullStatus:
    plain = status_of(job)
    return FullStatus(
        job_id=job.job_id,
        job_status=job.status,
        job_error_msg=job.error,
        desired=job.desired,
        actual=job.actual,
        outcome=job.outcome,
        reason=reason_of(job),
        since=since(job),
        created=job.created_at,
        changed=job.changed_at,
        ready_since=job.ready_at,
        attempt=job.attempt,
        restarts=max(job.attempt - 1, 0),
        failures=job.failures,
        last_exit=job.last_exit,
        next_retry=job.retry_at,
        stalled=job.stalled,
        engine=None if job.engine is None else EnginePlace(job.engine.host, job.engine.pid),
        endpoints=job.endpoints,
        graph_digest=job.graph_digest,
        labels=job.options.labels,
        version=job.revision,
        change=None if plain.change is UNSET else plain.change,
        failed_change=None if plain.failed_change is UNSET else plain.failed_change,
        origin=job.origin,
        options=job.options,
        options_in_force=in_force(job, settings),
        incarnation=job.incarnation,
        events=job.version,
        position=job.position,
        flow=health.flow,
        nodes=health.nodes,
        nodes_unknown=health.unknown,
    )


def in_force(job: Job, settings: EngineSection) -> OptionsInForce:
    options = job.options
    values = {"restart": options.restart, "limits": options.limits, "stall_after": options.stall_after}
    return OptionsInForce(
        restart=policy_of(job, settings.restart_policy),
        limits=options.limits or settings.limits,
        stall_after=stall_after_of(job, settings.stall_after),
        from_server=tuple(name for name, value in values.items() if value is None),
    )


def reason_of(job: Job) -> str:
    """Why its status is what it is, in a sentence or the error's own words."""
    if job.desired is Desired.DELETED:
        return "it is being deleted"
    if job.outcome is Outcome.SUCCEEDED:
        return "all sources of its flow have ended, and all data is through"
    if job.outcome is Outcome.FAILED:
        return job.error
    if job.desired is Desired.STOPPED:
        return "it was stopped" if job.actual is Actual.NONE else "it is being stopped"
    match job.actual:
        case Actual.STARTING:
            return f"engine {job.attempt} is starting"
        case Actual.UNREACHABLE:
            return f"engine {job.attempt} cannot be asked"
        case Actual.READY if job.stalled is not None:
            nodes = "; ".join(f"node '{node.node}': {node.reason}" for node in job.stalled.nodes)
            return f"its flow is up, and stalls: {nodes}"
        case Actual.READY:
            return "its flow is up"
        case _ if job.retry_at is not None and job.error:
            return f"it waits for its next attempt; engine {job.attempt} failed: {job.error}"
        case _:
            return "it waits for its next engine"


def since(job: Job) -> datetime:
    """Since when its status is what it is."""
    if job.status is JobStatus.RUNNING and job.ready_at is not None:
        return job.ready_at
    ended = job.status in (JobStatus.FAILED, JobStatus.SUCCEEDED, JobStatus.PENDING)
    if ended and job.desired is Desired.RUNNING and job.last_exit is not None:
        return job.last_exit.at
    return job.changed_at
