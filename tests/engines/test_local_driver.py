"""The ordinary life of engines under the local driver."""

import asyncio
import os
import signal
from pathlib import Path

import pytest
from msgspec.structs import replace

from server.engines.driver import EngineFenced, EngineRefused, Exited
from server.engines.identity import is_alive
from server.engines.local import LocalDriver
from server.engines.protocol import Ended, EngineState, Failed, Ready, Refusal
from server.flow.status import StatusCode
from tests.engines.conftest import wait_until
from tests.engines.jobs import free_port, get, next_news, spec_of
from tests.processes import processes_of


async def test_an_engine_becomes_ready_and_serves(driver: LocalDriver, state_dir: Path) -> None:
    port = free_port()
    handle = await driver.start(spec_of(endpoints=f"127.0.0.1:{port}/x"))
    ready = await next_news(handle)
    assert isinstance(ready, Ready)
    assert ready.endpoints == (f"http://127.0.0.1:{port}/x",)
    assert ready.plan is not None
    assert await asyncio.to_thread(get, port, "/x/y") == f"a /x/y {handle.identity.pid}"
    assert await handle.ping(5)


async def test_a_given_plan_is_not_compiled_again(driver: LocalDriver, state_dir: Path) -> None:
    handle = await driver.start(spec_of())
    ready = await next_news(handle)
    assert isinstance(ready, Ready)
    await handle.stop(1)
    spec = spec_of(attempt=2)
    again = await driver.start(replace(spec, plan=ready.plan, source="not to be read"))
    assert await next_news(again) == Ready(endpoints=(), plan=None)


async def test_a_graph_that_cannot_be_built_tells_why(driver: LocalDriver, state_dir: Path) -> None:
    handle = await driver.start(spec_of(refuse="node x has no port y"))
    failed = await next_news(handle)
    assert failed == Failed(code=StatusCode.BADCONF, message="Bad config, node x has no port y")
    assert await next_news(handle) == Exited(exit_code=0, signal=None)


async def test_a_flow_that_cannot_be_opened_tells_why(driver: LocalDriver, state_dir: Path) -> None:
    handle = await driver.start(spec_of(fail="no such camera"))
    failed = await next_news(handle)
    assert failed == Failed(code=StatusCode.BADCONF, message="Bad config, open flow failed. -> no such camera")
    assert await next_news(handle) == Exited(exit_code=0, signal=None)


async def test_a_bug_is_told_and_its_trace_logged(driver: LocalDriver, state_dir: Path) -> None:
    handle = await driver.start(spec_of(bug="oops"))
    failed = await next_news(handle)
    assert failed == Failed(code=StatusCode.INTERNAL, message="Internal error, ZeroDivisionError: oops")
    await next_news(handle)
    assert "Traceback" in (state_dir / "logs" / "jobs" / "a" / "1-1.0001.log").read_text()


async def test_a_flow_that_ends_says_how(driver: LocalDriver, state_dir: Path) -> None:
    handle = await driver.start(spec_of(end="0", end_seconds="0.2", message="all data is through"))
    assert isinstance(await next_news(handle), Ready)
    assert await next_news(handle) == Ended(code=StatusCode.SUCCESS, message="all data is through")
    assert await next_news(handle) == Exited(exit_code=0, signal=None)


async def test_a_start_that_takes_too_long_fails(driver: LocalDriver, state_dir: Path) -> None:
    spec = spec_of(open_seconds="100")
    handle = await driver.start(replace(spec, start_timeout=0.2))
    failed = await next_news(handle)
    assert failed == Failed(code=StatusCode.TIMEDOUT, message="Operation timed out, not ready within 0.2 seconds")


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL])
async def test_a_crash_is_told_with_its_signal(
    driver: LocalDriver, state_dir: Path, number: signal.Signals
) -> None:
    handle = await driver.start(spec_of(kill_self=str(int(number))))
    assert isinstance(await next_news(handle), Ready)
    assert await next_news(handle) == Exited(exit_code=None, signal=number)


async def test_an_exit_is_told_with_its_code(driver: LocalDriver, state_dir: Path) -> None:
    handle = await driver.start(spec_of(exit="3"))
    assert isinstance(await next_news(handle), Ready)
    assert await next_news(handle) == Exited(exit_code=3, signal=None)


async def test_stop_ends_the_engine_and_says_so(driver: LocalDriver, state_dir: Path) -> None:
    handle = await driver.start(spec_of())
    assert isinstance(await next_news(handle), Ready)
    await handle.stop(1)
    assert await next_news(handle) == Ended(code=StatusCode.STOP, message="stopped")
    assert await next_news(handle) == Exited(exit_code=0, signal=None)
    assert await driver.list() == []
    await handle.stop(1)


async def test_sigterm_stops_with_grace(driver: LocalDriver, state_dir: Path) -> None:
    handle = await driver.start(spec_of())
    assert isinstance(await next_news(handle), Ready)
    os.kill(handle.identity.pid, signal.SIGTERM)
    assert await next_news(handle) == Ended(code=StatusCode.STOP, message="stopped")


async def test_stop_while_starting(driver: LocalDriver, state_dir: Path) -> None:
    handle = await driver.start(spec_of(open_seconds="100"))
    await handle.stop(1)
    assert await next_news(handle) == Ended(code=StatusCode.STOP, message="stopped before it was ready")


async def test_it_answers_while_it_compiles(driver: LocalDriver, state_dir: Path) -> None:
    handle = await driver.start(spec_of(compile_seconds="1.5"))
    assert await handle.ping(1)
    (hello,) = await driver.list()
    assert hello.state == EngineState.STARTING


async def test_a_second_attempt_is_refused_while_the_first_runs(driver: LocalDriver, state_dir: Path) -> None:
    first = await driver.start(spec_of())
    with pytest.raises(EngineRefused, match="attempt 1 of job a still runs") as refused:
        await driver.start(spec_of(attempt=2))
    assert refused.value.kind == Refusal.RUNNING
    assert await first.ping(5)


async def test_the_same_start_twice_gives_the_same_engine(driver: LocalDriver, state_dir: Path) -> None:
    handles = await asyncio.gather(*(driver.start(spec_of()) for _ in range(5)))
    assert len({handle.identity for handle in handles}) == 1


async def test_two_drivers_starting_one_job_at_once_get_one_engine(driver: LocalDriver, state_dir: Path) -> None:
    other = LocalDriver(state_dir, "tests.engines.tiny_flow:TinyRuntime")
    ours, theirs = await asyncio.gather(driver.start(spec_of()), other.start(spec_of()))
    assert ours.identity == theirs.identity
    await other.close()


async def test_a_start_with_an_old_epoch_is_refused(driver: LocalDriver, state_dir: Path) -> None:
    await driver.start(spec_of(epoch=7))
    with pytest.raises(EngineRefused) as refused:
        await driver.start(spec_of("b", epoch=6))
    assert refused.value.kind == Refusal.OLD_EPOCH


async def test_a_new_runner_adopts_and_fences_the_old_one(driver: LocalDriver, state_dir: Path) -> None:
    old = await driver.start(spec_of(epoch=1))
    assert isinstance(await next_news(old), Ready)
    new = LocalDriver(state_dir, "tests.engines.tiny_flow:TinyRuntime")
    adopted = await new.adopt("a", 2)
    assert adopted is not None
    assert adopted.identity == old.identity
    assert isinstance(await next_news(adopted), Ready)
    with pytest.raises(EngineFenced):
        await old.stop(1)
    with pytest.raises(EngineFenced):
        await driver.adopt("a", 1)
    await adopted.stop(1)
    assert isinstance(await next_news(old), Ended)
    await new.close()


async def test_nothing_to_adopt(driver: LocalDriver) -> None:
    assert await driver.adopt("nobody", 1) is None


async def test_an_end_that_nobody_heard_is_adopted(driver: LocalDriver, state_dir: Path) -> None:
    first = LocalDriver(state_dir, "tests.engines.tiny_flow:TinyRuntime")
    handle = await first.start(spec_of(end="0", end_seconds="0.2", message="done"))
    await first.close()
    wait_until(lambda: not is_alive(handle.identity), "the engine has ended")
    adopted = await driver.adopt("a", 2)
    assert adopted is not None
    assert adopted.hello.state == EngineState.ENDED
    assert await next_news(adopted) == Ended(code=StatusCode.SUCCESS, message="done")
    assert await next_news(adopted) == Exited(exit_code=0, signal=None)
    await adopted.forget()
    assert await driver.adopt("a", 2) is None


async def test_a_crash_that_nobody_saw_is_adopted(driver: LocalDriver, state_dir: Path) -> None:
    first = LocalDriver(state_dir, "tests.engines.tiny_flow:TinyRuntime")
    handle = await first.start(spec_of(exit="3"))
    await first.close()
    wait_until(lambda: not is_alive(handle.identity), "the engine has ended")
    adopted = await driver.adopt("a", 2)
    assert adopted is not None
    assert adopted.hello.state == EngineState.GONE
    assert await next_news(adopted) == Exited(exit_code=3, signal=None)
    await adopted.forget()
    assert await driver.adopt("a", 2) is None


async def test_processes_say_what_they_are(driver: LocalDriver, state_dir: Path) -> None:
    handle = await driver.start(spec_of())
    assert isinstance(await next_news(handle), Ready)
    titles = processes_of(state_dir)
    assert titles.pop(handle.identity.pid) == f"modelbox-server: engine of job a [{state_dir}]"
    assert list(titles.values()) == [f"modelbox-server: engine host [{state_dir}]"]


async def test_release_leaves_nothing_of_the_job(driver: LocalDriver, state_dir: Path) -> None:
    handle = await driver.start(spec_of(endpoints=f"127.0.0.1:{free_port()}/"))
    assert isinstance(await next_news(handle), Ready)
    await handle.kill()
    await driver.release("a")
    assert list((state_dir / "run" / "engines").iterdir()) == []
    assert list((state_dir / "run" / "listeners").iterdir()) == []
