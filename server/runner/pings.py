"""Asks each ready engine now and then whether it answers, and writes down when that changes."""

import asyncio
from collections.abc import Mapping

from server.jobs import events as e
from server.jobs.ids import JobId
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
    def __init__(self, recorder: Recorder, follower: Follower, engines: Mapping[JobId, Engine]) -> None:
        self._recorder = recorder
        self._follower = follower
        self._engines = engines

    async def run(self) -> None:
        async with asyncio.TaskGroup() as asking:
            while True:
                engines = list(self._engines.values())
                for engine in engines:
                    if not (engine.exited or engine.stopping):
                        asking.create_task(self._ask(engine))
                    # spread, so that a thousand engines do not wake at the same moment
                    await asyncio.sleep(max(ROUND_SECONDS / len(engines), 1 / ASKED_PER_SECOND))
                if not engines:
                    await asyncio.sleep(ROUND_SECONDS)

    async def _ask(self, engine: Engine) -> None:
        answers = await _answers(engine)
        job = self._follower.jobs.get(engine.job_id)
        if job is None or job.incarnation != engine.incarnation or engine.exited:
            return
        event: e.Event | None = None
        if answers and job.actual is Actual.UNREACHABLE:
            event = e.EngineReady(attempt=engine.attempt, endpoints=job.endpoints)
        elif not answers and job.actual is Actual.READY:
            event = e.EngineUnreachable(
                attempt=engine.attempt, reason=f"no answer within {ANSWER_SECONDS:g} s, though its process exists"
            )
        if event is not None:
            await self._recorder.record(engine.job_id, engine.incarnation, event)


async def _answers(engine: Engine) -> bool:
    """Whether it does in time. One that is just ending refuses at once, before anybody knows of its end."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + ANSWER_SECONDS
    while (left := deadline - loop.time()) > 0 and not engine.exited:
        if await engine.handle.ping(left):
            return True
        await asyncio.sleep(PAUSE_SECONDS)
    return False
