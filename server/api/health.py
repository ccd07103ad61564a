"""`/health/live`, `/health/ready` and `/version`: for orchestrators, monitoring and people."""

import asyncio
import platform

from sanic import Request

from server.api.describe import PROGRAM, program_version
from server.api.endpoint import Endpoint
from server.api.rights import Right, Scoped
from server.store.health import HealthProbe, StoreHealth
from server.store.schema import REVISIONS
from server.wire.health import DatabaseState, Live, NotReady, Ready, Version

TAG = "health"
MODELBOX_API = "v1"
ANSWER_SECONDS = 2.0
"""How long the database may take before the answer is that it does not answer."""


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
    Endpoint(method="GET", path="/health/live", handler=live, tag=TAG, right=Right.OPEN, scoped=Scoped.NO_JOBS),
    Endpoint(method="GET", path="/health/ready", handler=ready, tag=TAG, right=Right.OPEN, scoped=Scoped.NO_JOBS),
    Endpoint(method="GET", path="/version", handler=version, tag=TAG, scoped=Scoped.NO_JOBS),
)
