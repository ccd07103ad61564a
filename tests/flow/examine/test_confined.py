"""Graphs that would harm who looks at them harm a process of their own."""

import asyncio
from pathlib import Path

import pytest

from server.flow.examine.confined import AT_ONCE, WAITING, Examiner, TooMany
from server.flow.examine.task import Task
from tests.flow.examine.test_places import RECEIVE, REPLY, graph
from tests.processes import processes_of

RIGHT = Task(source=graph(RECEIVE, REPLY, "r:out_request_info -> p:in_reply_info"), format="toml")


SLOW = Task(source=graph("a;" * 2_000_000), format="toml")


async def test_a_right_graph_is_found_right(tmp_path: Path) -> None:
    examiner = Examiner(tmp_path, 30)
    outcome = await examiner.examine(RIGHT)
    await examiner.close()
    assert outcome.verdict.nodes == 2
    assert processes_of(tmp_path) == {}


async def test_what_takes_too_much_memory_is_wrong_for_that_reason(tmp_path: Path) -> None:
    examiner = Examiner(tmp_path, 30, memory=64 * 1024**2)
    outcome = await examiner.examine(SLOW)
    await examiner.close()
    (finding,) = outcome.verdict.findings
    assert finding.message == "Fault, examining the graph takes too much memory"


async def test_beyond_those_that_wait_nobody_is_let_in(tmp_path: Path) -> None:
    examiner = Examiner(tmp_path / "state", 60)
    waiting = [asyncio.create_task(examiner.examine(RIGHT)) for _ in range(AT_ONCE + WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(TooMany):
        await examiner.examine(RIGHT)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    await examiner.close()
    assert processes_of(tmp_path / "state") == {}


async def test_a_turn_is_given_back_by_what_takes_too_long(tmp_path: Path) -> None:
    examiner = Examiner(tmp_path / "state", 1)
    for _ in range(2):
        outcomes = await asyncio.gather(*(examiner.examine(SLOW) for _ in range(AT_ONCE)))
        messages = {outcome.verdict.findings[0].message for outcome in outcomes}
        assert messages == {"Operation timed out, the graph was not examined within 1 seconds"}
    await examiner.close()
    assert processes_of(tmp_path / "state") == {}
