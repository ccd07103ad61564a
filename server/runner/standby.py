"""What a runner does that waits for its turn: it ends engines here whose jobs run elsewhere by now, or are gone.

A machine that was cut off from the database goes on with its engines, while the next leader, on another machine,
counts them as lost and starts their jobs anew. When the machine is back, its runner waits for the lock, and finds
engines here that are of an older epoch than the log's.
"""

import asyncio
from collections.abc import Callable, Mapping

import structlog

from server.engines.driver import EngineFenced, EngineHostGone
from server.engines.local import LocalDriver
from server.engines.protocol import EngineHead
from server.jobs.ids import Epoch, JobId, Position
from server.jobs.state import Job
from server.jobs.words import Actual
from server.store import Store, StoreUnavailable

log = structlog.get_logger()

LOOK_SECONDS = 1.0
"""Between two looks at the log's end, and at most that often at the jobs."""


def stale_engines(alive: list[EngineHead], jobs: Mapping[JobId, Job], epoch: Epoch) -> list[EngineHead]:
    """Those of an older epoch than the log's that are, by the log, not (or no more) their jobs' engines.

    One that the log does not know yet is left alone while its job has no other: the leader may be about to adopt
    it.
    """
    return [head for head in alive if head.epoch < epoch and _is_replaced(head, jobs.get(JobId(head.job_id)))]


def _is_replaced(head: EngineHead, job: Job | None) -> bool:
    if job is None or job.incarnation != head.incarnation:
        return True
    pending = job.changes.pending
    if pending is not None and head.successor and pending.engine in (None, head.identity):
        return False
    return job.actual is not Actual.NONE and job.engine != head.identity


class Standby:
    """`driver_of` makes the driver for the engines of the log that it is given the name of."""

    def __init__(self, store: Store, driver_of: Callable[[str], LocalDriver], grace: float) -> None:
        self._store = store
        self._driver_of = driver_of
        self._grace = grace
        self._seen: Position | None = None

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self._look_if_news()
            except StoreUnavailable as error:
                log.warning("waiting to lead, without a database", reason=str(error))
            await asyncio.sleep(LOOK_SECONDS)

    async def _look_if_news(self) -> None:
        head = await self._store.read_head()
        if head != self._seen and await self.look() == 0:
            self._seen = head

    async def look(self) -> int:
        """Ends what is stale; returns how many were."""
        name = await self._store.log_name()
        driver = self._driver_of(name)
        try:
            alive = [head for head in driver.alive() if head.log == name]
            if not alive:
                return 0
            # after the engines: one that is being started is not taken for one of a job that is gone
            snapshot = await self._store.snapshot()
            stale = stale_engines(alive, {job.job_id: job for job in snapshot.jobs}, snapshot.epoch)
            await asyncio.gather(*(self._end(driver, head, snapshot.epoch) for head in stale))
            # the ports of those of whose engines none is left here
            left = {head.job_id for head in alive if head not in stale}
            await asyncio.gather(
                *(self._release(driver, head.job_id) for head in stale if head.job_id not in left)
            )
            return len(stale)
        finally:
            await driver.close()

    async def _end(self, driver: LocalDriver, head: EngineHead, epoch: Epoch) -> None:
        log.warning("its job runs elsewhere or is gone, ending engine", job_id=head.job_id, pid=head.identity.pid)
        try:
            handle = await driver.adopt(head.job_id, epoch, seat=head.seat)
            if handle is not None and handle.identity == head.identity:
                await handle.stop(self._grace)
                await handle.forget()
        except (EngineFenced, EngineHostGone, OSError) as error:
            log.warning("engine not ended yet", job_id=head.job_id, reason=str(error))

    async def _release(self, driver: LocalDriver, job_id: str) -> None:
        try:
            await driver.release(job_id)
        except (EngineHostGone, OSError) as error:
            log.warning("ports not released yet", job_id=job_id, reason=str(error))
