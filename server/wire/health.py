"""Health and version in the form that the API shows them in."""

from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from server.jobs.leader import Leader


class Live(msgspec.Struct, frozen=True):
    """The process answers."""

    status: str = "live"


class DatabaseState(msgspec.Struct, frozen=True, kw_only=True):
    readable: bool
    writable: bool
    schema: Annotated[str | None, Meta(description="its revision; null when it could not be read")]
    position: Annotated[int | None, Meta(description="of the log's last event")]


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    status: str
    reasons: Annotated[tuple[str, ...], Meta(description="what keeps it from being ready, a sentence each")]
    database: DatabaseState
    leader: Annotated[Leader | None, Meta(description="the runner that leads; null when none does")]


class Ready(Readiness, frozen=True, kw_only=True):
    """Commands are recorded and carried out."""

    status: str = "ready"


class NotReady(Readiness, frozen=True, kw_only=True):
    """Something is missing; `reasons` say what."""

    http_status: ClassVar[int] = 503
    status: str = "not ready"


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """Which program this is, and what it needs and speaks."""

    program: str
    version: str
    schema: Annotated[str, Meta(description="the database revision that it needs")]
    python: str
    modelbox_api: Annotated[str, Meta(description="the version of ModelBox Server's API that it speaks")]
