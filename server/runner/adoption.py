"""Takes over the engines that live when a runner begins to lead, and tells the log which of its engines do not."""

import asyncio
from collections.abc import Container

import structlog

from server.engines.driver import EngineDriver, EngineHandle
from server.engines.protocol import EngineState
from server.failpoints import Failpoint, hit
from server.jobs import events as e
from server.jobs.commands import Observe
from server.jobs.ids import Epoch, JobId
from server.jobs.state import Job
from server.jobs.words import Actual
from server.runner.engines import Engine
from server.runner.recorder import Recorder
from server.store.follower import Follower

log = structlog.get_logger()

SEATS = (0, 1)
OF_NO_JOB = 0
"""The incarnation of an engine that belongs to no job of this log, whatever it says itself."""


class Adoption:
    def __init__(self, follower: Follower, driver: EngineDriver, recorder: Recorder, epoch: Epoch) -> None:
        self._follower = follower
        self._driver = driver
        self._recorder = recorder
        self._epoch = epoch

    async def adopt_all(self) -> list[Engine]:
        """Every engine that lives, known or not, and the ends that nobody has recorded yet."""
        seats = {(JobId(job_id), seat) for job_id, seat in await self._driver.engines()}
        for job in self._follower.jobs.values():
            if job.actual is not Actual.NONE or job.changes.pending is not None:
                # the second seat only of jobs that ever had a successor: there are many that had none
                seats |= {(job.job_id, seat) for seat in SEATS[: 2 if job.changes.attempt else 1]}
        found = await asyncio.gather(*(self._adopt(job_id, seat) for job_id, seat in seats))
        engines = [engine for engine in found if engine is not None]
        hit(Failpoint.RUNNER_FOUND_ENGINES)
        adopted = [observed for engine in engines if (observed := self._adoption(engine)) is not None]
        if adopted:
            await self._recorder.record_all(adopted)
        log.info("engines adopted", adopted=len(adopted), found=len(engines))
        return engines

    async def adopt(self, job_id: JobId) -> list[Engine]:
        """What there is of one job."""
        found = [await self._adopt(job_id, seat) for seat in SEATS]
        return [engine for engine in found if engine is not None]

    async def _adopt(self, job_id: JobId, seat: int) -> Engine | None:
        job = self._follower.jobs.get(job_id)
        known = (*_known_engines(job), None)[0]  # both are at home in one place
        handle = await self._driver.adopt(job_id, self._epoch, known, seat)
        return self.engine_of(JobId(handle.hello.head.job_id), handle) if handle is not None else None

    def engine_of(self, job_id: JobId, handle: EngineHandle, *, holds_slot: bool = False) -> Engine:
        head = handle.hello.head
        return Engine(
            job_id=job_id,
            incarnation=OF_NO_JOB if self._is_of_lost_history(job_id, handle) else head.incarnation,
            attempt=head.attempt,
            handle=handle,
            holds_slot=holds_slot,
        )

    def _is_of_lost_history(self, job_id: JobId, handle: EngineHandle) -> bool:
        """Whether it was started in a part of the log that was given up, for a job that may have been another one
        under this id: such an engine is only kept when the log knows it."""
        if handle.hello.head.epoch >= self._follower.fence:
            return False
        return handle.identity not in _known_engines(self._follower.jobs.get(job_id))

    def _adoption(self, engine: Engine) -> Observe | None:
        job = self._follower.jobs.get(engine.job_id)
        if job is None or job.incarnation != engine.incarnation or job.attempt > engine.attempt:
            return None
        if engine.is_successor and job.attempt < engine.attempt:
            return None  # it is not the job's engine yet, if it ever will be
        if engine.handle.hello.state in (EngineState.FAILED, EngineState.ENDED, EngineState.GONE):
            return None
        return Observe(job_id=job.job_id, incarnation=job.incarnation, event=_adopted(engine))

    async def record(self, job: Job, engine: Engine) -> None:
        await self._recorder.record(job.job_id, job.incarnation, _adopted(engine))

    async def record_losses(self, held: Container[JobId]) -> None:
        """Before anybody reads the status of a job whose engine is gone. `held`: jobs that have one."""
        lost = [
            Observe(job_id=job.job_id, incarnation=job.incarnation, event=loss_of(job))
            for job in self._follower.jobs.values()
            if job.actual is not Actual.NONE and job.job_id not in held
        ]
        if lost:
            await self._recorder.record_all(lost)


def _known_engines(job: Job | None) -> tuple[e.EngineIdentity, ...]:
    """Those that the log knows, the job's own first."""
    if job is None:
        return ()
    pending = job.changes.pending
    engines = (job.engine, pending.engine if pending is not None else None)
    return tuple(engine for engine in engines if engine is not None)


def loss_of(job: Job) -> e.EngineLost:
    return e.EngineLost(attempt=job.attempt, reason="its process was gone when the runner looked for it")


def _adopted(engine: Engine) -> e.EngineAdopted:
    return e.EngineAdopted(attempt=engine.attempt, engine=engine.handle.identity)
