"""What a job may take where no cgroup holds it: a limit reaches what the engine starts, and its end says why."""

import json
import os
import resource
import signal
from pathlib import Path

import pytest
from msgspec.structs import replace

from server.engines.driver import EngineHandle, Exited, Failed, Ready
from server.engines.local import LocalDriver
from server.engines.protocol import EngineSpec
from server.engines.tree import descendants_of
from server.flow.status import StatusCode
from server.jobs.limits import Limits
from tests.engines.conftest import kill_host, wait_until
from tests.engines.jobs import next_news, spec_of
from tests.processes import engines_of

MIB = 1024 * 1024
STACKS = 8
"""MiB that each allowed thread adds to what an engine may allocate."""


def limited(limits: Limits, **settings: str) -> EngineSpec:
    return replace(spec_of(**settings), limits=limits)


async def exit_of(handle: EngineHandle) -> Exited:
    while not isinstance(news := await next_news(handle), Exited):
        assert not isinstance(news, Failed), news
    return news


def cpus() -> int:
    return len(os.sched_getaffinity(0))


async def test_limits_bind_what_an_engine_starts(driver: LocalDriver, tmp_path: Path) -> None:
    limits = Limits(memory=64 * MIB, cpu=0.5, open_files=200, nice=3, threads=20)
    report = tmp_path / "report"
    assert isinstance(await next_news(await driver.start(limited(limits, report=str(report)))), Ready)
    found = json.loads(report.read_text())
    assert found["nice"] == os.nice(0) + 3
    assert found["open_files"] == 200
    assert found["cpus"] == 1
    stacks = limits.threads * STACKS * MIB
    assert limits.memory + stacks < found["data"] < limits.memory + stacks + 1024 * MIB


async def test_without_limits_an_engine_is_bound_by_nothing(driver: LocalDriver, tmp_path: Path) -> None:
    report = tmp_path / "report"
    assert isinstance(await next_news(await driver.start(spec_of(report=str(report)))), Ready)
    found = json.loads(report.read_text())
    assert (found["nice"], found["cpus"]) == (os.nice(0), cpus())
    assert found["data"] == resource.getrlimit(resource.RLIMIT_DATA)[0]
    # but when the machine is out of memory, it goes before the server does
    assert found["oom_score"] > int(Path("/proc/self/oom_score_adj").read_text())


async def test_an_allocation_beyond_the_limit_is_refused_and_told(driver: LocalDriver) -> None:
    handle = await driver.start(limited(Limits(memory=32 * MIB, threads=8), eat=str(500 * MIB)))
    failed = await next_news(handle)
    assert isinstance(failed, Failed)
    assert failed.code == StatusCode.NOMEM
    assert failed.message.startswith("Out of memory, MemoryError")


async def test_an_engine_that_holds_more_than_its_limit_is_ended(driver: LocalDriver, state_dir: Path) -> None:
    neighbour = await driver.start(spec_of("b"))
    handle = await driver.start(limited(Limits(memory=32 * MIB), eat_later=str(100 * MIB)))
    exited = await exit_of(handle)
    assert (exited.signal, exited.out_of_memory) == (signal.SIGKILL, True)
    assert exited.reason.startswith("Out of memory, the job's processes hold 1")
    assert exited.reason.endswith("bytes, its limit is 33,554,432")
    assert set(engines_of(state_dir)) == {"b"}
    assert await neighbour.ping(5)


async def test_what_an_engines_children_hold_counts(driver: LocalDriver) -> None:
    handle = await driver.start(limited(Limits(memory=64 * MIB), child_eats=str(100 * MIB)))
    pid = handle.identity.pid
    wait_until(lambda: len(descendants_of(pid)) == 1, "the child lives")
    (child,) = descendants_of(pid)
    exited = await exit_of(handle)
    assert exited.out_of_memory
    wait_until(lambda: not child.is_alive, "the child is gone too")


async def test_an_engine_with_too_many_threads_is_ended(driver: LocalDriver) -> None:
    handle = await driver.start(limited(Limits(threads=10), threads="30"))
    exited = await exit_of(handle)
    assert (exited.signal, exited.out_of_memory) == (signal.SIGKILL, False)
    assert exited.reason.startswith("Quota exceeded, the job's processes have 3")


async def test_a_job_within_its_limits_is_left_alone(driver: LocalDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    handle = await driver.start(limited(Limits(memory=200 * MIB, threads=40), eat=str(50 * MIB), threads="5"))
    over = await driver.start(replace(limited(Limits(threads=10), threads="30"), job_id="b"))
    assert isinstance(await next_news(handle), Ready)
    # looked at in the same round
    await exit_of(over)
    assert await handle.ping(5)


async def test_a_new_host_holds_the_engines_of_the_old_to_their_limits(
    driver: LocalDriver, state_dir: Path
) -> None:
    handle = await driver.start(limited(Limits(memory=32 * MIB), eat_later=str(100 * MIB)))
    assert isinstance(await next_news(handle), Ready)
    kill_host(state_dir)
    await driver.prepare()
    exited = await next_news(handle)
    assert isinstance(exited, Exited)
    assert exited.out_of_memory


async def test_an_uncaught_bad_alloc_is_told(driver: LocalDriver, state_dir: Path) -> None:
    exited = await exit_of(await driver.start(spec_of(bad_alloc="yes")))
    assert exited == Exited(
        exit_code=None,
        signal=signal.SIGABRT,
        out_of_memory=True,
        reason="Out of memory, the engine process ended with std::bad_alloc",
    )
    # an end of another kind is not taken for the earlier one
    exited = await exit_of(await driver.start(spec_of(attempt=2, kill_self=str(int(signal.SIGABRT)))))
    assert exited == Exited(exit_code=None, signal=signal.SIGABRT)
