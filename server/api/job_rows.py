"""Jobs as the list shows them: a row a job, whose fields can be chosen."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from server.jobs.events import LastExit, Stall
from server.jobs.options import JobOptions
from server.jobs.state import Job
from server.jobs.words import Actual, Desired, JobStatus, Outcome


class EnginePlace(msgspec.Struct, frozen=True):
    """Where an engine runs."""

    host: str
    pid: int


class JobRow(msgspec.Struct, frozen=True, kw_only=True):
    """A job. With `fields`, only those asked for are there."""

    job_id: str | UnsetType = UNSET
    job_status: JobStatus | UnsetType = UNSET
    job_error_msg: Annotated[str | UnsetType, Meta(description="why it failed; empty when it did not")] = UNSET
    created: datetime | UnsetType = UNSET
    changed: Annotated[datetime | UnsetType, Meta(description="when something last happened to it")] = UNSET
    ready_since: Annotated[datetime | UnsetType | None, Meta(description="null while it is not ready")] = UNSET
    desired: Annotated[Desired | UnsetType, Meta(description="what was asked for")] = UNSET
    actual: Annotated[Actual | UnsetType, Meta(description="what is known of its engine")] = UNSET
    outcome: Annotated[Outcome | UnsetType, Meta(description="how it ended for good; open while it has not")] = (
        UNSET
    )
    attempt: Annotated[int | UnsetType, Meta(description="number of the newest engine, 0 before the first")] = (
        UNSET
    )
    failures: Annotated[int | UnsetType, Meta(description="in a row")] = UNSET
    last_exit: LastExit | UnsetType | None = UNSET
    next_retry: Annotated[datetime | UnsetType | None, Meta(description="null: no attempt is waited for")] = UNSET
    stalled: Annotated[Stall | UnsetType | None, Meta(description="null: it does not stall")] = UNSET
    engine: Annotated[EnginePlace | UnsetType | None, Meta(description="null: there is none")] = UNSET
    endpoints: Annotated[tuple[str, ...] | UnsetType, Meta(description="that its flow serves")] = UNSET
    origin: Annotated[str | UnsetType, Meta(description="rest or file")] = UNSET
    options: Annotated[JobOptions | UnsetType, Meta(description="as they were asked for")] = UNSET
    graph_digest: Annotated[str | UnsetType, Meta(description="SHA-256 of the graph's format and source")] = UNSET
    incarnation: Annotated[int | UnsetType, Meta(description="2 for the second job of that id, and so on")] = UNSET
    version: Annotated[int | UnsetType, Meta(description="counts what happened to it, from 1")] = UNSET
    position: Annotated[int | UnsetType, Meta(description="in the log, of what last happened to it")] = UNSET


_VALUES: dict[str, Callable[[Job], Any]] = {
    "job_id": lambda job: job.job_id,
    "job_status": lambda job: job.status,
    "job_error_msg": lambda job: job.error,
    "created": lambda job: job.created_at,
    "changed": lambda job: job.changed_at,
    "ready_since": lambda job: job.ready_at,
    "desired": lambda job: job.desired,
    "actual": lambda job: job.actual,
    "outcome": lambda job: job.outcome,
    "attempt": lambda job: job.attempt,
    "failures": lambda job: job.failures,
    "last_exit": lambda job: job.last_exit,
    "next_retry": lambda job: job.retry_at,
    "stalled": lambda job: job.stalled,
    "engine": lambda job: None if job.engine is None else EnginePlace(job.engine.host, job.engine.pid),
    "endpoints": lambda job: job.endpoints,
    "origin": lambda job: job.origin,
    "options": lambda job: job.options,
    "graph_digest": lambda job: job.graph_digest,
    "incarnation": lambda job: job.incarnation,
    "version": lambda job: job.version,
    "position": lambda job: job.position,
}

FIELDS = JobRow.__struct_fields__


def row_of(job: Job, fields: Sequence[str] = FIELDS) -> JobRow:
    return JobRow(**{name: _VALUES[name](job) for name in fields})
