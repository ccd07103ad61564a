"""Jobs as the list shows them: a row a job, whose fields can be chosen."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from server.jobs.events import LastExit, Stall
from server.jobs.limits import Limits
from server.jobs.options import JobOptions, RestartPolicy
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
    labels: dict[str, str] | UnsetType = UNSET
    origin: Annotated[str | UnsetType, Meta(description="rest or file")] = UNSET
    options: Annotated[JobOptions | UnsetType, Meta(description="as they were asked for")] = UNSET
    graph_digest: Annotated[str | UnsetType, Meta(description="SHA-256 of the graph's format and source")] = UNSET
    incarnation: Annotated[int | UnsetType, Meta(description="2 for the second job of that id, and so on")] = UNSET
    version: Annotated[int | UnsetType, Meta(description="of graph and options, from 1")] = UNSET
    events: Annotated[int | UnsetType, Meta(description="in its history, since it was created")] = UNSET
    position: Annotated[int | UnsetType, Meta(description="in the log, of what last happened to it")] = UNSET


class ServerDefaults(msgspec.Struct, frozen=True, kw_only=True):
    """The options of jobs that leave them to the server."""

    restart: RestartPolicy
    limits: Annotated[Limits, Meta(description="what is left out is not limited")]
    stall_after: float


class JobPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some of the jobs, as they are now."""

    jobs: list[JobRow]
    next: Annotated[str | None, Meta(description="the `cursor` of the next page; null when this is the last")]
    total: Annotated[int, Meta(description="jobs that pass the filters")]
    counts: Annotated[
        dict[str, int], Meta(description="by status, the jobs that pass the filters other than `status`")
    ]
    defaults: ServerDefaults
    position: Annotated[int, Meta(description="in the log: whoever watches `after` it misses no change of these")]
