"""The newest part of the log in memory, read once for all who watch."""

import asyncio
from bisect import bisect_right
from contextlib import suppress

import msgspec

from server.api.entries import entry_of
from server.jobs.events import InArchive, Recorded
from server.jobs.ids import Epoch, JobId, Position
from server.store import StoreUnavailable
from server.store.history import History, LogPage, Wanted
from server.wire.entries import Entry

KEPT = 4096
"""Events in memory: who is further behind reads the database."""
LOADED = 1000
"""Events read before the API serves: for those who come back after a restart, and quick to read."""
KEPT_BYTES = 8 * 1024 * 1024
READ = 500
RETRY_SECONDS = 0.5
TOLD_TOGETHER = 50
"""How many watchers are woken before others get their turn on the event loop."""
PAUSE_PER_WATCHER = 0.0002
"""Seconds. So that thousands of watchers take a share of the processor, and not all of it, when much happens."""


class Fed(msgspec.Struct, frozen=True):
    """An event, made ready to be sent: `frame` is the whole of it for a server-sent event stream."""

    position: Position
    job_id: JobId
    entry: Entry
    frame: bytes

    @classmethod
    def of(cls, recorded: Recorded) -> "Fed":
        entry = entry_of(recorded)
        frame = b"id: %d\nevent: %b\ndata: %b\n\n" % (
            recorded.position,
            recorded.type.encode(),
            msgspec.json.encode(entry),
        )
        return cls(recorded.position, recorded.job_id, entry, frame)


class Part(msgspec.Struct, frozen=True):
    """`events` are all that are wanted up to `looked_at`; `head` is the log's end."""

    events: list[Fed]
    looked_at: Position
    head: Position


class Feed:
    """Call `load()`, then run `run()` in a task of its own, and `wake()` it after each append. What it knows is at
    most as new as the database, and soon as new."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._kept: list[Fed] = []
        self._bytes = 0
        self._before = Position(0)  # of the event before the first that is kept
        self._last_gap = Position(0)  # of the last that stands for events in an archive
        self.position = Position(0)
        self._fence = Epoch(0)
        self.closed = False
        self._news = asyncio.Event()
        self._waiting: dict[asyncio.Future[None], None] = {}
        self._restored = 0

    def wake(self, _changed: object = None) -> None:
        """Something was appended."""
        self._news.set()

    def close(self) -> None:
        """Nobody waits any longer: the server is about to stop."""
        self.closed = True
        waiting, self._waiting = self._waiting, {}
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def load(self) -> None:
        """Raises: StoreUnavailable."""
        self._begin(await self._history.newest(LOADED))
        self._news.set()

    async def run(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            watchers = len(self._waiting)
            try:
                await self._read_on()
            except StoreUnavailable:
                self._news.set()
                await asyncio.sleep(RETRY_SECONDS)
            else:
                await asyncio.sleep(watchers * PAUSE_PER_WATCHER)

    async def after(self, position: Position, limit: int, wanted: Wanted) -> Part:
        """Up to `limit` events behind `position`. From memory, if that reaches back so far; it may then be a
        moment older than the database. Raises: StoreUnavailable."""
        # which jobs' events are in an archive only the database knows
        is_told_in_full = wanted.job_id is None or position >= self._last_gap
        if self._before <= position <= self.position and is_told_in_full:
            return self._from_memory(position, limit, wanted)
        return await self.read(position, limit, wanted)

    async def read(self, position: Position, limit: int, wanted: Wanted) -> Part:
        """As `after`, from the database. Raises: StoreUnavailable."""
        page = await self._history.after(position, limit, wanted)
        return Part([Fed.of(recorded) for recorded in page.events], page.looked_at, page.head)

    async def first(self, position: Position, limit: int, wanted: Wanted, seconds: float) -> Part:
        """As `after`, once there is an event; without one, when so many seconds are over or the feed was closed.

        Raises: StoreUnavailable.
        """
        now = asyncio.get_running_loop().time
        deadline = now() + seconds
        while True:
            part = await self.after(position, limit, wanted)
            if part.events or part.head < position or self.closed or now() >= deadline:
                return part
            position = part.looked_at
            if position >= part.head:
                await self.grown(position, deadline - now())

    async def grown(self, position: Position, seconds: float) -> None:
        """Waits until there is something behind `position`, or the log is another one; at most so many seconds."""
        restored = self._restored
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.position <= position and self._restored == restored and not self.closed:
                    await self._told()

    async def _told(self) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[future] = None
        try:
            await future
        finally:
            self._waiting.pop(future, None)

    def _from_memory(self, position: Position, limit: int, wanted: Wanted) -> Part:
        found: list[Fed] = []
        for n in range(bisect_right(self._kept, position, key=lambda fed: fed.position), len(self._kept)):
            fed = self._kept[n]
            if wanted.matches(fed.job_id, fed.entry.type):
                found.append(fed)
                if len(found) == limit:
                    return Part(found, fed.position, self.position)
        return Part(found, self.position, self.position)

    async def _read_on(self) -> None:
        while True:
            page = await self._history.after(self.position, READ, Wanted())
            if page.head < self.position or page.fence != self._fence:
                self._begin(await self._history.newest(LOADED))
                self._restored += 1
                await self._tell()
                return
            if page.looked_at == self.position:
                return
            self._take(page)
            await self._tell()

    def _begin(self, page: LogPage) -> None:
        self._kept, self._bytes = [], 0
        self.position = self._before = page.head
        self._fence = page.fence
        self._last_gap = Position(0)
        if page.events:
            self._before = Position(page.events[0].position - 1)
        self._take(page)

    def _take(self, page: LogPage) -> None:
        for recorded in page.events:
            fed = Fed.of(recorded)
            self._kept.append(fed)
            self._bytes += len(fed.frame)
            if fed.entry.type == InArchive.type:
                self._last_gap = fed.position
        self.position = page.looked_at
        self._forget()

    def _forget(self) -> None:
        """Keeps the newest, at most twice what is said: a list is shortened at its front seldom, or slowly."""
        if len(self._kept) <= 2 * KEPT and self._bytes <= 2 * KEPT_BYTES:
            return
        keep, size = 0, 0
        for fed in reversed(self._kept):
            size += len(fed.frame)
            if keep == KEPT or size > KEPT_BYTES:
                break
            keep += 1
        gone = self._kept[: len(self._kept) - keep]
        self._kept = self._kept[len(gone) :]
        self._bytes -= sum(len(fed.frame) for fed in gone)
        self._before = gone[-1].position

    async def _tell(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for number, future in enumerate(waiting, 1):
            if not future.done():
                future.set_result(None)
            if number % TOLD_TOGETHER == 0:
                await asyncio.sleep(0)
