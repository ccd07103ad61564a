"""Asks each ready engine now and then whether it answers, and writes down when that changes."""

import asyncio
from collections.abc import Mapping

from server.config import EngineSection
from server.jobs import events as e
from server.jobs.ids import JobId
from server.jobs.restart import ends_stalls, policy_of, stall_after_of
from server.jobs.state import Job
from server.jobs.words import Actual
from server.runner.engines import Engine
from server.runner.recorder import Recorder
from server.store.follower import Follower

ROUND_SECONDS = 5.0
"""Each engine is asked once in this time, or in more when there are many. Its end is noticed at once by other
means; this is about engines that exist and are stuck."""
ASKED_PER_SECOND = 5
"""At most: a question costs 0.9 ms of CPU at both ends together, and many engines at rest should cost nothing."""
ANSWER_SECONDS = 4.0
"""Long enough for a machine that is busy."""
PAUSE_SECONDS = 0.2


class Pinger:
    def __init__(
        self,
        recorder: Recorder,
        follower: Follower,
        engines: Mapping[JobId, Engine],
        settings: EngineSection,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self._recorder = recorder
        self._follower = follower
        self._engines = engines
        self._settings = settings
        self._answer_seconds = answer_seconds

    async def run(self) -> None:
        async with asyncio.TaskGroup() as asking:
            while True:
                engines = list(self._engines.values())
                for engine in engines:
                    if not (engine.exited or engine.stopping):
                        asking.create_task(self.ask(engine))
                    # spread, so that a thousand engines do not wake at the same moment
                    await asyncio.sleep(max(ROUND_SECONDS / len(engines), 1 / ASKED_PER_SECOND))
                if not engines:
                    await asyncio.sleep(ROUND_SECONDS)

    async def ask(self, engine: Engine) -> None:
        answers = await _answers(engine, self._answer_seconds)
        job = self._follower.jobs.get(engine.job_id)
        if job is None or job.incarnation != engine.incarnation or engine.exited or job.changes.takes_over:
            return
        event: e.Event | None = None
        if answers and job.actual is Actual.UNREACHABLE:
            event = e.EngineReady(attempt=engine.attempt, endpoints=job.endpoints)
        elif not answers and job.actual is Actual.READY:
            event = e.EngineUnreachable(
                attempt=engine.attempt,
                reason=f"no answer within {self._answer_seconds:g} s, though its process exists",
            )
        if event is not None:
            await self._recorder.record(engine.job_id, engine.incarnation, event)
        await self._end_if_stuck(engine, job, answers)

    async def _end_if_stuck(self, engine: Engine, job: Job, answers: bool) -> None:
        """An engine that is too busy to say that its flow stalls has its policy, too."""
        if answers:
            engine.silent_since = None
            return
        now = asyncio.get_running_loop().time()
        engine.silent_since = engine.silent_since or now
        limit = stall_after_of(job, self._settings.stall_after)
        silence = now - engine.silent_since
        if (
            ends_stalls(policy_of(job, self._settings.restart_policy))
            and 0 < limit <= silence
            and not engine.stopping
        ):
            engine.stalled = f"Stalled, the engine's process exists and has not answered for {silence:.0f} s"
            await engine.handle.stop(self._settings.stop_grace)


async def _answers(engine: Engine, answer_seconds: float) -> bool:
    """Whether it does in time. One that is just ending refuses at once, before anybody knows of its end."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + answer_seconds
    while (left := deadline - loop.time()) > 0 and not engine.exited:
        if await engine.handle.ping(left):
            return True
        await asyncio.sleep(PAUSE_SECONDS)
    return False
