"""Follows a successor until it is its job's engine, or comes to nothing; and hands the job over to it."""

import structlog

from server.engines.driver import EngineNews, Exited
from server.engines.protocol import Ended, Failed, Ready
from server.failpoints import Failpoint, hit
from server.jobs import events as e
from server.jobs.state import Job
from server.runner.deaths import how_it_ended
from server.runner.engines import Engine
from server.runner.recorder import Recorder
from server.store.follower import Follower

log = structlog.get_logger()


class Successors:
    def __init__(self, recorder: Recorder, follower: Follower) -> None:
        self._recorder = recorder
        self._follower = follower

    async def record_start(self, job: Job, engine: Engine) -> None:
        started = e.SuccessorStarted(attempt=engine.attempt, engine=engine.handle.identity)
        await self._recorder.record(job.job_id, job.incarnation, started)

    async def take(self, engine: Engine, news: EngineNews) -> None:
        match news:
            case Ready(endpoints=endpoints):
                engine.ready, engine.endpoints = True, endpoints
            case Failed(message=message) | Ended(message=message):
                engine.said_last = True
                await self._failed(engine, message)
            case Exited():
                engine.exited = True
                if not engine.said_last:
                    await self._failed(engine, how_it_ended(news))

    async def _failed(self, engine: Engine, message: str) -> None:
        job = self._follower.jobs.get(engine.job_id)
        if job is None or job.incarnation != engine.incarnation or engine.stopping:
            return
        if job.changes.pending is not None and job.changes.pending.attempt == engine.attempt:
            await self.give_up(job, message, engine.attempt)

    async def give_up(self, job: Job, message: str, attempt: int | None = None) -> None:
        pending = job.changes.pending
        if pending is not None:
            failed = e.ChangeFailed(revision=pending.revision, attempt=attempt, error=message)
            await self._recorder.record(job.job_id, job.incarnation, failed)

    async def apply(self, job: Job, engine: Engine) -> None:
        """From the moment that this is on record, `engine` is the job's engine."""
        pending = job.changes.pending
        assert pending is not None
        hit(Failpoint.RUNNER_BEFORE_SWITCH)
        applied = e.ChangeApplied(
            revision=pending.revision,
            attempt=engine.attempt,
            engine=engine.handle.identity,
            endpoints=engine.endpoints,
        )
        await self._recorder.record(job.job_id, job.incarnation, applied)
        hit(Failpoint.RUNNER_SWITCHED)

    async def take_over(self, job: Job, engine: Engine, before: Engine | None) -> bool:
        """Has the engine before it give way, and `engine` serve; False when `engine` does not answer."""
        if before is not None and not before.exited:
            await before.handle.give_way()
        hit(Failpoint.RUNNER_GAVE_WAY)
        if not await engine.handle.promote():
            return False
        hit(Failpoint.RUNNER_PROMOTED)
        log.info("took over", job_id=job.job_id, attempt=engine.attempt, version=job.revision)
        ready = e.EngineReady(attempt=engine.attempt, endpoints=job.endpoints)
        await self._recorder.record(job.job_id, job.incarnation, ready)
        return True
