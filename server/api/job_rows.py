"""Rows of the list, made from jobs."""

from collections.abc import Callable, Sequence
from typing import Any

from server.jobs.state import Job
from server.wire.job_rows import EnginePlace, JobRow

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
    "labels": lambda job: job.options.labels,
    "origin": lambda job: job.origin,
    "options": lambda job: job.options,
    "graph_digest": lambda job: job.graph_digest,
    "incarnation": lambda job: job.incarnation,
    "version": lambda job: job.revision,
    "events": lambda job: job.version,
    "position": lambda job: job.position,
}

FIELDS = JobRow.__struct_fields__


def row_of(job: Job, fields: Sequence[str] = FIELDS) -> JobRow:
    return JobRow(**{name: _VALUES[name](job) for name in fields})
