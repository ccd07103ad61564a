"""Graphs that would harm who looks at them harm a process of their own."""

import asyncio
import os
import signal
from collections.abc import Callable
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


async def until(state_dir: Path, holds: Callable[[list[int]], bool]) -> list[int]:
    """The processes, once that holds of them and the examiner has heard of it, too."""
    for _ in range(500):
        if holds(found := list(processes_of(state_dir))):
            await asyncio.sleep(0.1)
            return found
        await asyncio.sleep(0.02)
    raise AssertionError(f"there are {found}")


async def waiting_process(state_dir: Path) -> int:
    (pid,) = await until(state_dir, lambda pids: len(pids) == 1)
    return pid


async def test_a_process_waits_for_the_next_graph_and_is_ended_with_the_examiner(tmp_path: Path) -> None:
    examiner = Examiner(tmp_path, 30)
    await examiner.examine(RIGHT)
    first = await waiting_process(tmp_path)
    assert (await examiner.examine(RIGHT)).verdict.nodes == 2
    assert await waiting_process(tmp_path) != first
    await examiner.close()
    assert processes_of(tmp_path) == {}


async def test_a_process_that_waited_for_nothing_is_ended(tmp_path: Path) -> None:
    examiner = Examiner(tmp_path, 30, idle=0.1)
    await examiner.examine(RIGHT)
    await waiting_process(tmp_path)
    await until(tmp_path, lambda pids: not pids)
    assert (await examiner.examine(RIGHT)).verdict.nodes == 2
    await examiner.close()


async def test_a_waiting_process_that_was_killed_is_not_missed(tmp_path: Path) -> None:
    examiner = Examiner(tmp_path, 30)
    await examiner.examine(RIGHT)
    os.kill(await waiting_process(tmp_path), signal.SIGKILL)
    await until(tmp_path, lambda pids: not pids)
    assert (await examiner.examine(RIGHT)).verdict.nodes == 2
    await examiner.close()
