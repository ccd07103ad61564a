"""What a client may ask for beside the graph: the `options` of a create request."""

from enum import StrEnum
from typing import Annotated

import msgspec

from server.jobs.limits import Limits

Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e9)]
Attempts = Annotated[int, msgspec.Meta(ge=0)]


class Restart(StrEnum):
    """When an engine that ended is started again."""

    NEVER = "never"
    ON_FAILURE = "on-failure"
    ALWAYS = "always"


class RestartPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`attempts`: failures in a row after which it is given up, 0 for no limit. `delay`: seconds before the first
    restart, doubling with each failure in a row up to `delay_max`. After `healthy_after` seconds of running well,
    failures count anew."""

    policy: Restart = Restart.ON_FAILURE
    attempts: Attempts = 0
    delay: Seconds = 0.5
    delay_max: Seconds = 60.0
    healthy_after: Seconds = 30.0


class JobOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """`restart`, `limits`: None for the server's own, whatever those are at the time."""

    restart: RestartPolicy | None = None
    limits: Limits | None = None


NO_OPTIONS = JobOptions()
