"""Whether the database can be used, and who leads: asked on a connection of its own, so that it can be told while
everything else waits for the database."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import msgspec
import sqlalchemy as sa

from server.jobs.events import LeaderElected
from server.jobs.ids import Position
from server.jobs.leader import Leader
from server.store import queries, schema
from server.store.errors import StoreError
from server.store.leader import is_led
from server.store.rows import recorded_of
from server.store.session import Session
from server.store.tables import EVENT
from server.store.urls import database_of


class StoreHealth(msgspec.Struct, frozen=True, kw_only=True):
    """`problems` are sentences; `leader` is None when none leads or when that cannot be told."""

    readable: bool = False
    writable: bool = False
    revision: str | None = None
    head: Position | None = None
    leader: Leader | None = None
    problems: tuple[str, ...] = ()


class HealthProbe:
    """Asks one question at a time; whoever asks meanwhile gets the same answer."""

    def __init__(self, url: str) -> None:
        """Raises: StoreUnavailable, for a URL that names no database."""
        self._session = Session(database_of(url))
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store-health")
        self._asking: asyncio.Future[StoreHealth] | None = None

    async def ask(self) -> StoreHealth:
        """May take as long as the database does. Cancelling the wait does not end the question."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.get_running_loop().run_in_executor(self._thread, self._look)
        return await asyncio.shield(self._asking)

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._session.close)
        self._thread.shutdown(wait=False)

    def _look(self) -> StoreHealth:
        try:
            health = self._session.read(self._read)
        except StoreError as error:
            return StoreHealth(problems=(str(error),))
        try:
            self._session.write(lambda _: (None, False))
        except StoreError as error:
            return msgspec.structs.replace(health, problems=(*health.problems, f"nothing can be written: {error}"))
        return msgspec.structs.replace(health, writable=True)

    def _read(self, connection: sa.Connection) -> StoreHealth:
        schema.check(self._session.database, connection)
        head = queries.head(connection)
        elected = last_election(connection)
        led = is_led(self._session.database, connection)
        leader = Leader(elected[0].host, elected[0].pid, head.epoch, elected[1]) if elected and led else None
        return StoreHealth(
            readable=True,
            revision=schema.REVISIONS[-1],
            head=head.position,
            leader=leader,
            problems=() if leader else ("no runner leads: commands are recorded, and not carried out",),
        )


def last_election(connection: sa.Connection) -> tuple[LeaderElected, datetime] | None:
    # the word is written out, for a parameter would not let SQLite use the index of elections
    elections = EVENT.c.type == sa.literal_column(f"'{LeaderElected.type}'")
    last = sa.select(EVENT).where(elections).order_by(EVENT.c.position.desc()).limit(1)
    row = connection.execute(last).one_or_none()
    if row is None:
        return None
    recorded = recorded_of(row)
    assert isinstance(recorded.event, LeaderElected)
    return recorded.event, recorded.recorded_at
