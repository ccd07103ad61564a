"""The live jobs in memory, kept equal to the projection by following the log's head."""

import asyncio
from collections.abc import Callable

import structlog

from server.jobs.ids import Epoch, JobId, Position
from server.jobs.state import Job
from server.store.queries import Mark
from server.store.store import Appended, Store, StoreUnavailable

log = structlog.get_logger()

POLL_SECONDS = 0.5
"""How late a change is seen when its wake-up got lost."""


class Follower:
    """`jobs` holds every live job as of `position`, and newer where this process itself appended.

    Run `follow()` in a task of its own; it ends only when cancelled.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.jobs: dict[JobId, Job] = {}
        self.epoch = Epoch(0)  # of the newest leader
        self._mark = Mark(Position(0))
        self._loaded = False
        self._ends: dict[JobId, Position] = {}  # of jobs that note() saw deleted behind `position`
        self._subscribers: list[Callable[[set[JobId]], None]] = []
        self._waiting: dict[JobId, list[asyncio.Event]] = {}
        self._catching_up = asyncio.Lock()

    def subscribe(self, changed: Callable[[set[JobId]], None]) -> None:
        """Calls `changed` with the ids of jobs that are new, different or gone, after each such change."""
        self._subscribers.append(changed)

    def is_current(self) -> bool:
        """Whether nothing was appended since the last catch-up; False also when that cannot be told cheaply."""
        return self._loaded and self._store.sync_mark() == self._mark

    async def load(self) -> None:
        """Reads all live jobs. Raises: StoreUnavailable."""
        snapshot = await self._store.snapshot()
        self.jobs = {job.job_id: job for job in snapshot.jobs}
        self._mark, self.epoch, self._loaded = snapshot.mark, snapshot.epoch, True

    @property
    def position(self) -> Position:
        return self._mark.position

    @property
    def fence(self) -> Epoch:
        """See Head."""
        return self._mark.fence

    async def catch_up(self) -> None:
        """Brings `jobs` to the head of the log, as it was when this was called, or later.

        Raises: StoreUnavailable.
        """
        if not self._loaded:
            await self.load()
            return self._tell(set(self.jobs))
        if await self._store.read_mark() == self._mark:
            return None
        async with self._catching_up:
            changes = await self._store.changes_since(self._mark)
            changed: set[JobId] = set()
            if changes.complete:  # an older state was restored: what we know is of another history
                changed |= self.jobs.keys()
                self.jobs, self._ends = {}, {}
            for job in changes.jobs:
                if self._place_of(job.job_id) < job.place:
                    self.jobs[job.job_id] = job
                    changed.add(job.job_id)
            for job_id in changes.gone:
                # what note() learned meanwhile may be newer than what was read
                if job_id in self.jobs and self._place_of(job_id)[0] <= changes.head:
                    del self.jobs[job_id]
                    changed.add(job_id)
            self._mark, self.epoch = changes.mark, changes.epoch
            self._ends = {job_id: end for job_id, end in self._ends.items() if end > self.position}
        return self._tell(changed)

    def note(self, appended: Appended) -> None:
        """Takes over what this process has just appended, without a read. A catch-up whose read is under way
        knows less than this, and does not undo it."""
        job = appended.job
        if job is None:
            return self._note_end(appended)
        known = self.jobs.get(job.job_id)
        if known is None or known.incarnation != job.incarnation:
            is_news = job.position > max(self.position, self._place_of(job.job_id)[0])
        else:
            is_news = job.place > known.place
        if is_news:  # else a catch-up has been there
            self.jobs[job.job_id] = job
            self._tell({job.job_id})
        return None

    def _note_end(self, appended: Appended) -> None:
        if not appended.events:
            return
        last = appended.events[-1]
        if last.position > max(self.position, self._place_of(last.job_id)[0]):
            self.jobs.pop(last.job_id, None)
            self._ends[last.job_id] = last.position
            self._tell({last.job_id})

    async def wait_until(self, job_id: JobId, incarnation: int, done: Callable[[Job], bool]) -> Job | None:
        """The job once `done` holds of it; None once that incarnation is gone. Waits without limit."""
        changed = asyncio.Event()
        self._waiting.setdefault(job_id, []).append(changed)
        try:
            while True:
                job = self.jobs.get(job_id)
                if job is None or job.incarnation != incarnation:
                    return None
                if done(job):
                    return job
                changed.clear()
                await changed.wait()
        finally:
            waiting = self._waiting[job_id]
            waiting.remove(changed)
            if not waiting:
                del self._waiting[job_id]

    async def follow(self) -> None:
        """Catches up at each wake-up, and every POLL_SECONDS whether or not one came."""
        reason = ""
        while True:
            await self._store.wait_for_append(POLL_SECONDS)
            try:
                if not self.is_current():
                    await self.catch_up()
            except StoreUnavailable as error:
                if reason != str(error):
                    reason = str(error)
                    log.error("the log cannot be read", reason=reason)
                await asyncio.sleep(POLL_SECONDS)
            else:
                if reason:
                    log.info("the log can be read again")
                reason = ""

    def _place_of(self, job_id: JobId) -> tuple[Position, int]:
        job = self.jobs.get(job_id)
        return job.place if job is not None else (self._ends.get(job_id, Position(0)), 0)

    def _tell(self, changed: set[JobId]) -> None:
        for subscriber in self._subscribers:
            subscriber(changed)
        for job_id in changed:
            for waiting in self._waiting.get(job_id, ()):
                waiting.set()
