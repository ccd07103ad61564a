"""Frees the ports that jobs have claimed and need no more: those of finished jobs, and what a change left."""

from contextlib import suppress

from server.engines.driver import EngineDriver, EngineHostGone
from server.jobs.ids import JobId
from server.jobs.orders import wants_engine
from server.jobs.state import Job
from server.jobs.words import Actual
from server.runner.engines import Engine
from server.runner.held import Held
from server.store.follower import Follower


class Ports:
    def __init__(self, driver: EngineDriver, follower: Follower, held: Held) -> None:
        self._driver = driver
        self._follower = follower
        self._held = held
        self._untidy: set[JobId] = set()
        """Jobs that may have claims which their engine does not need."""
        self._finished: list[JobId] = []

    def look_through(self) -> None:
        """Of all jobs, when a runner begins to lead: the one before may have died before it freed their ports."""
        jobs = self._follower.jobs.values()
        self._untidy |= {job.job_id for job in jobs if job.changes.newest > 1}
        self._finished = [job.job_id for job in jobs if _is_finished(job)]

    async def free_finished(self) -> None:
        """What `look_through` found, but for what has been freed before. Raises: EngineHostGone."""
        while self._finished:
            job = self._follower.jobs.get(self._finished[-1])
            if job is not None and _is_finished(job) and job.job_id not in self._held:
                await self._driver.release(job.job_id)
            self._finished.pop()

    async def free(self, job_id: JobId) -> None:
        with suppress(EngineHostGone):  # a host that is gone holds no listener
            await self._driver.release(job_id)

    async def tidy(self, job_id: JobId, job: Job | None, engine: Engine | None) -> None:
        """Once a job has one engine that is ready: what others have claimed for it is closed."""
        if job_id not in self._untidy:
            return
        if job is None or job.changes.takes_over:
            self._untidy &= self._follower.jobs.keys()
            return
        if job.actual is not Actual.READY or engine is None or job_id in self._held.seconds:
            return
        self._untidy.discard(job_id)
        with suppress(EngineHostGone):
            await self._driver.retain(engine.handle)

    async def clear_up_after(self, engine: Engine) -> None:
        """After the end of an engine of a job that was changed: the next one may listen elsewhere."""
        job = self._follower.jobs.get(engine.job_id)
        if job is None or job.changes.newest == 1:
            return
        self._untidy.add(engine.job_id)
        if _is_finished(job) and engine.job_id not in self._held:
            await self.free(engine.job_id)


def _is_finished(job: Job) -> bool:
    """Whether it has no use for its ports any more."""
    return not wants_engine(job) and job.changes.pending is None
