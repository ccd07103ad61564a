"""`/health/live`, `/health/ready` and `/version`: for orchestrators, monitoring and people."""

import asyncio
import platform
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta
from sanic import Request

from server.api.describe import PROGRAM, program_version
from server.api.endpoint import Endpoint
from server.store.health import HealthProbe, Leader, StoreHealth
from server.store.schema import REVISIONS

TAG = "health"
MODELBOX_API = "v1"
ANSWER_SECONDS = 2.0
"""How long the database may take before the answer is that it does not answer."""


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


async def live(request: Request) -> Live:
    """Whether the API's process answers.

    It asks nobody else: restart the process when this fails, and only then.
    """
    return Live()


async def ready(request: Request) -> Ready | NotReady:
    """Whether commands are recorded and carried out: the database can be read and written, and a runner leads.

    Answered within two seconds, whatever the database does.
    """
    probe: HealthProbe = request.app.ctx.health
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            health = await probe.ask()
    except TimeoutError:
        health = StoreHealth(problems=(f"the database has not answered for {ANSWER_SECONDS:g} seconds",))
    database = DatabaseState(
        readable=health.readable, writable=health.writable, schema=health.revision, position=health.head
    )
    kind = NotReady if health.problems else Ready
    return kind(reasons=health.problems, database=database, leader=health.leader)


async def version(request: Request) -> Version:
    """Which program this is."""
    return Version(
        program=PROGRAM,
        version=program_version(),
        schema=REVISIONS[-1],
        python=platform.python_version(),
        modelbox_api=MODELBOX_API,
    )


ENDPOINTS = (
    Endpoint(method="GET", path="/health/live", handler=live, tag=TAG),
    Endpoint(method="GET", path="/health/ready", handler=ready, tag=TAG),
    Endpoint(method="GET", path="/version", handler=version, tag=TAG),
)
