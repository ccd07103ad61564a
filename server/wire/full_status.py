"""All that is known of one job."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from server.jobs.events import LastExit, Stall
from server.jobs.limits import Limits
from server.jobs.options import JobOptions, RestartPolicy
from server.jobs.words import Actual, Desired, JobStatus, Outcome
from server.wire.bodies import Change, FailedChange
from server.wire.job_rows import EnginePlace


class StatusView(StrEnum):
    PLAIN = "plain"
    FULL = "full"


class NodeState(StrEnum):
    """RUNNING: it has something to do, or had within the last second; IDLE: it waits for data. FINISHED: a source,
    all of whose data is through, or any node of a flow that has ended well. FAILED: the job's error names it."""

    RUNNING = "running"
    IDLE = "idle"
    STALLED = "stalled"
    FINISHED = "finished"
    FAILED = "failed"


class NodeHealth(msgspec.Struct, frozen=True, kw_only=True):
    """How a node stands. What is counted is null when there is no engine that could be asked."""

    node: str
    unit: str
    state: NodeState
    reason: Annotated[str, Meta(description="why it stalls or failed; else empty")] = ""
    buffers_in: int | None = None
    buffers_out: int | None = None
    queued: Annotated[int | None, Meta(description="buffers that wait at its inputs")] = None
    calls: Annotated[int | None, Meta(description="of its unit, that are done")] = None
    in_call: Annotated[int | None, Meta(description="calls of its unit that are under way")] = None
    errors: int | None = None
    last_progress: Annotated[datetime | None, Meta(description="when its unit was last called")] = None


class OptionsInForce(msgspec.Struct, frozen=True, kw_only=True):
    """The job's options, completed with the server's."""

    restart: RestartPolicy
    limits: Annotated[Limits, Meta(description="what is left out is not limited")]
    stall_after: float
    from_server: Annotated[tuple[str, ...], Meta(description="which of them the job leaves to the server")]


class FullStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A job, and how the nodes of its flow stand."""

    job_id: str
    job_status: JobStatus
    job_error_msg: Annotated[str, Meta(description="why it failed; empty when it did not")]
    desired: Annotated[Desired, Meta(description="what was asked for")]
    actual: Annotated[Actual, Meta(description="what is known of its engine")]
    outcome: Annotated[Outcome, Meta(description="how it ended for good; open while it has not")]
    reason: Annotated[str, Meta(description="why its status is what it is")]
    since: Annotated[datetime, Meta(description="since when")]
    created: datetime
    changed: Annotated[datetime, Meta(description="when something last happened to it")]
    ready_since: Annotated[datetime | None, Meta(description="null while it is not ready")]
    attempt: Annotated[int, Meta(description="number of the newest engine, 0 before the first")]
    restarts: Annotated[int, Meta(description="engines after the first")]
    failures: Annotated[int, Meta(description="in a row")]
    last_exit: LastExit | None
    next_retry: Annotated[datetime | None, Meta(description="null: no attempt is waited for")]
    stalled: Annotated[Stall | None, Meta(description="null: it does not stall")]
    engine: Annotated[EnginePlace | None, Meta(description="null: there is none")]
    endpoints: Annotated[tuple[str, ...], Meta(description="that its flow serves")]
    graph_digest: Annotated[str, Meta(description="SHA-256 of the graph's format and source")]
    labels: dict[str, str]
    version: Annotated[int, Meta(description="of graph and options, from 1")]
    change: Annotated[Change | None, Meta(description="that is on its way")]
    failed_change: Annotated[FailedChange | None, Meta(description="why nothing came of the last change")]
    origin: Annotated[str, Meta(description="rest or file")]
    options: Annotated[JobOptions, Meta(description="as they were asked for")]
    options_in_force: OptionsInForce
    incarnation: Annotated[int, Meta(description="2 for the second job of that id, and so on")]
    events: Annotated[int, Meta(description="in its history, since it was created")]
    position: Annotated[int, Meta(description="in the log, of what last happened to it")]
    flow: Annotated[
        str | None, Meta(description="how busy its flow is: initial, running, idle, blocking or shutdown")
    ]
    nodes: Annotated[tuple[NodeHealth, ...] | None, Meta(description="null: see `nodes_unknown`")]
    nodes_unknown: Annotated[str | None, Meta(description="why nothing is known of the nodes")]
