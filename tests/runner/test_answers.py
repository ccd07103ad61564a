"""What engines said last: asked all at once, in bounded time, those that hang holding up nobody."""

import asyncio
from typing import Any, cast

from server.engines.driver import EngineHandle
from server.engines.protocol import Counted
from server.jobs.ids import JobId
from server.runner.answers import ASKED_AT_ONCE, Answers
from server.runner.engines import Engine


class Talking:
    """A handle whose engine answers, or hangs."""

    def __init__(self) -> None:
        self.hangs = False
        self.asked = 0

    async def counters(self, timeout: float) -> Counted | None:
        self.asked += 1
        if self.hangs:
            await asyncio.sleep(timeout)
            return None
        return Counted(nodes=(), status=f"answer {self.asked}")


def engine(number: int, attempt: int = 1) -> Engine:
    handle = cast(EngineHandle, Talking())
    return Engine(job_id=JobId(f"job-{number}"), incarnation=1, attempt=attempt, handle=handle)


def talking(engine: Engine) -> Talking:
    return cast(Any, engine.handle)  # type: ignore[no-any-return]


async def test_all_are_asked() -> None:
    engines, answers = [engine(n) for n in range(3 * ASKED_AT_ONCE)], Answers()
    assert await answers.ask(engines) == 0
    assert all(answers.of(each) is not None for each in engines)


async def test_those_that_hang_keep_their_last_answer_and_are_counted() -> None:
    engines, answers = [engine(n) for n in range(3)], Answers(engine_seconds=0.01)
    await answers.ask(engines)
    talking(engines[1]).hangs = True
    assert await answers.ask(engines) == 1
    told = [cast(Any, answers.of(each)).counted.status for each in engines]
    assert told == ["answer 2", "answer 1", "answer 2"]


async def test_more_that_hang_than_are_asked_at_once_hold_up_the_others_once_only() -> None:
    engines, answers = [engine(n) for n in range(2 * ASKED_AT_ONCE)], Answers(0.2, 60.0)
    for each in engines[:ASKED_AT_ONCE]:
        talking(each).hangs = True
    assert await answers.ask(engines) == 2 * ASKED_AT_ONCE
    assert await answers.ask(engines) == ASKED_AT_ONCE


async def test_an_answer_is_that_attempts_alone() -> None:
    answers = Answers()
    await answers.ask([engine(1)])
    assert answers.of(engine(1)) is not None
    assert answers.of(engine(1, attempt=2)) is None


async def test_engines_that_are_gone_are_forgotten() -> None:
    answers = Answers()
    await answers.ask([engine(1), engine(2)])
    await answers.ask([engine(2)])
    assert answers.of(engine(1)) is None


async def test_none_is_no_question() -> None:
    assert await Answers().ask([]) == 0
