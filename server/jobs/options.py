"""What a client may ask for beside the graph: the `options` of a create request."""

from enum import StrEnum
from typing import Annotated

import msgspec

from server.jobs.limits import Limits

Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e9)]
HealthySeconds = Annotated[float, msgspec.Meta(ge=1, le=1e9)]
"""Less would not tell running well from crashing."""
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Attempts = Annotated[int, msgspec.Meta(ge=0)]


LabelName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._/-]{0,62}[A-Za-z0-9])?$(?!\n)")]
LabelValue = Annotated[str, msgspec.Meta(max_length=255, pattern=r"^[^\x00-\x1f\x7f-\x9f,]*$(?!\n)")]
"""No commas, which part one label from the next in a query and in the scope of a token; no control characters."""
JobLabels = Annotated[dict[LabelName, LabelValue], msgspec.Meta(max_length=64)]


class Restart(StrEnum):
    """When an engine that ended is started again."""

    NEVER = "never"
    ON_FAILURE = "on-failure"
    ALWAYS = "always"


class InitialState(StrEnum):
    """What a job is when it was just created."""

    RUNNING = "running"
    STOPPED = "stopped"


class RestartPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`attempts`: failures within `interval` seconds after which it is given up; no attempts: never; no interval:
    failures in a row. `delay`: seconds before the first restart, doubling with each failure in a row up to
    `delay_max`; each is shortened by a random share of up to `jitter`, so that what failed together does not come
    back together. After `healthy_after` seconds of running well, failures count anew. `on_stall`: a flow that
    stalls is ended, which counts as a failure."""

    policy: Restart = Restart.ON_FAILURE
    attempts: Attempts = 0
    interval: Seconds = 0.0
    delay: Seconds = 0.5
    delay_max: Seconds = 60.0
    jitter: Share = 0.2
    healthy_after: HealthySeconds = 30.0
    on_stall: bool = False


class JobOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """`stall_after`: seconds after which a flow that has input and makes no progress is said to stall, 0 for
    never. `labels`: by which jobs are told apart, whatever their names and values mean. What is null is the
    server's own, whatever that is at the time."""

    restart: RestartPolicy | None = None
    limits: Limits | None = None
    stall_after: Seconds | None = None
    labels: JobLabels = {}
    initial_state: InitialState | None = None


NO_OPTIONS = JobOptions()
