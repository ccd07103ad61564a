"""One question for all who ask at one time."""

import asyncio

import pytest

from server.metrics.fresh import Fresh


class Question:
    def __init__(self) -> None:
        self.asked = 0
        self.may_answer = asyncio.Event()
        self.fails = False

    async def __call__(self) -> int:
        self.asked += 1
        await self.may_answer.wait()
        if self.fails:
            raise OSError
        return self.asked


async def test_those_who_ask_together_share_one_answer() -> None:
    question = Question()
    fresh = Fresh(question, 0.0)
    asking = [asyncio.create_task(fresh.get()) for _ in range(5)]
    await asyncio.sleep(0)
    question.may_answer.set()
    assert await asyncio.gather(*asking) == [1] * 5
    assert await fresh.get() == 2


async def test_an_answer_stands_for_a_while() -> None:
    question = Question()
    question.may_answer.set()
    fresh = Fresh(question, 60.0)
    assert [await fresh.get() for _ in range(3)] == [1, 1, 1]


async def test_a_failure_does_not_stand() -> None:
    question = Question()
    question.may_answer.set()
    fresh = Fresh(question, 60.0)
    question.fails = True
    with pytest.raises(OSError):  # noqa: PT011 - the question's own
        await fresh.get()
    question.fails = False
    assert await fresh.get() == 2


async def test_who_gives_up_ends_the_question_for_nobody() -> None:
    question = Question()
    fresh = Fresh(question, 60.0)
    impatient, patient = (asyncio.create_task(fresh.get()) for _ in range(2))
    await asyncio.sleep(0)
    impatient.cancel()
    question.may_answer.set()
    assert await patient == 1
