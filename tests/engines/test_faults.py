"""What is left when parts are killed, stuck or lied to: nothing."""

import asyncio
import os
import random
import signal
import socket
from pathlib import Path

import pytest

from server.engines.driver import Ended, EngineHostGone, Exited, Failed, Ready
from server.engines.identity import is_alive
from server.engines.local import LocalDriver
from server.engines.protocol import EngineState
from server.engines.rundir import RunDir, connect_unix
from server.flow.status import StatusCode
from tests.engines.conftest import end, host_pid, kill_host, wait_until
from tests.engines.jobs import free_port, get, next_news, spec_of
from tests.processes import engines_of, kill_all, processes_of


def is_running(pid: int) -> bool:
    try:
        return b") Z " not in Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False


async def test_a_dead_host_takes_no_engine_with_it_and_is_replaced(driver: LocalDriver, state_dir: Path) -> None:
    port = free_port()
    handle = await driver.start(spec_of("a", endpoints=f"127.0.0.1:{port}"))
    assert isinstance(await next_news(handle), Ready)
    kill_host(state_dir)
    assert await asyncio.to_thread(get, port, "/") == f"a / {handle.identity.pid}"
    other = await driver.start(spec_of("b"))
    assert isinstance(await next_news(other), Ready)
    assert set(engines_of(state_dir)) == {"a", "b"}
    await handle.stop(1)
    assert await next_news(handle) == Ended("stopped", StatusCode.STOP)
    assert await next_news(handle) == Exited(exit_code=None, signal=None)


async def test_a_new_host_owns_the_old_listeners(driver: LocalDriver, state_dir: Path) -> None:
    port = free_port()
    handle = await driver.start(spec_of("a", endpoints=f"127.0.0.1:{port}"))
    assert isinstance(await next_news(handle), Ready)
    kill_host(state_dir)
    taker = await driver.start(spec_of("b", endpoints=f"127.0.0.1:{port}"))
    failed = await next_news(taker)
    assert isinstance(failed, Failed)
    assert f"127.0.0.1:{port} is already served by job a" in failed.message
    await handle.kill()
    # the backlog outlives the engine, as with the first host
    waiting = asyncio.create_task(asyncio.to_thread(get, port, "/"))
    again = await driver.start(spec_of("a", attempt=2, endpoints=f"127.0.0.1:{port}"))
    assert await waiting == f"a / {again.identity.pid}"


async def test_the_host_dies_while_an_engine_is_born(state_dir: Path) -> None:
    driver = LocalDriver(state_dir, "tests.engines.tiny_flow:SlowBirthRuntime")
    await driver.start(spec_of("warm"))
    starting = asyncio.create_task(driver.start(spec_of("a")))
    await asyncio.sleep(0.15)
    kill_host(state_dir)
    handle = await starting
    assert isinstance(await next_news(handle), Ready)
    assert len(engines_of(state_dir)["a"]) == 1
    await end(driver, state_dir)


async def test_the_host_dies_while_an_engine_opens(driver: LocalDriver, state_dir: Path) -> None:
    port = free_port()
    handle = await driver.start(spec_of("a", open_seconds="0.3", endpoints=f"127.0.0.1:{port}"))
    kill_host(state_dir)
    # any need of a host brings a new one, and the engine waits for it
    await driver.release("nobody")
    assert isinstance(await next_news(handle), Ready)
    assert await asyncio.to_thread(get, port, "/") == f"a / {handle.identity.pid}"


async def test_everything_dies_at_once_and_starts_again(driver: LocalDriver, state_dir: Path) -> None:
    handles = [await driver.start(spec_of(job)) for job in ("a", "b", "c")]
    kill_all(state_dir)
    for handle in handles:
        async with asyncio.timeout(10):
            while not isinstance(news := await handle.news(), Exited):
                pass
        assert news == Exited(exit_code=None, signal=None)
    assert await driver.list() == []
    again = await driver.start(spec_of("a", attempt=2))
    assert isinstance(await next_news(again), Ready)


async def test_a_host_that_was_killed_is_not_waited_for(driver: LocalDriver, state_dir: Path) -> None:
    handle = await driver.start(spec_of("a", exit="3"))
    assert isinstance(await next_news(handle), Ready)
    kill_host(state_dir)
    assert isinstance(await next_news(handle), Exited)


async def test_a_host_that_hangs_is_replaced(
    driver: LocalDriver, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = await driver.start(spec_of("a"))
    assert isinstance(await next_news(handle), Ready)
    stuck = host_pid(state_dir)
    os.kill(stuck, signal.SIGSTOP)
    with monkeypatch.context() as patience:
        patience.setattr("server.engines.hostlink._ANSWERS_WITHIN", 0.3)
        with pytest.raises(EngineHostGone, match="does not answer"):
            await driver.start(spec_of("b"))
    other = await driver.start(spec_of("b"))
    assert isinstance(await next_news(other), Ready)
    assert await handle.ping(5)
    assert host_pid(state_dir) != stuck


async def test_hosts_die_at_random_moments(driver: LocalDriver, state_dir: Path) -> None:
    chance = random.Random()
    for attempt in range(1, 6):
        jobs = [f"job{number}" for number in range(6)]
        await driver.release("nobody")
        starts = [asyncio.create_task(driver.start(spec_of(job, attempt=attempt))) for job in jobs]
        await asyncio.sleep(chance.uniform(0, 0.05))
        kill_host(state_dir)
        handles = await asyncio.gather(*starts)
        for handle in handles:
            assert isinstance(await next_news(handle), Ready)
        engines = engines_of(state_dir)
        assert sorted(engines) == jobs
        assert all(len(pids) == 1 for pids in engines.values()), engines
        assert {hello.head.identity for hello in await driver.list()} == {each.identity for each in handles}
        await asyncio.gather(*(handle.kill() for handle in handles))


async def test_an_engine_that_ignores_everything_is_stopped(driver: LocalDriver, state_dir: Path) -> None:
    handle = await driver.start(spec_of("a", stubborn="yes"))
    assert isinstance(await next_news(handle), Ready)
    await asyncio.sleep(0.2)
    async with asyncio.timeout(20):
        await handle.stop(0.2)
    assert not is_alive(handle.identity)
    assert await next_news(handle) == Exited(exit_code=None, signal=signal.SIGKILL)


async def test_an_engine_that_does_not_answer_is_listed_and_adopted(driver: LocalDriver, state_dir: Path) -> None:
    handle = await driver.start(spec_of("a"))
    assert isinstance(await next_news(handle), Ready)
    os.kill(handle.identity.pid, signal.SIGSTOP)
    (hello,) = await driver.list()
    assert (hello.state, hello.head.identity) == (EngineState.SILENT, handle.identity)
    adopted = await driver.adopt("a", 2)
    assert adopted is not None
    assert adopted.identity == handle.identity
    assert not await adopted.ping(0.2)
    await adopted.stop(0.2)
    assert await next_news(adopted) == Exited(exit_code=None, signal=signal.SIGKILL)


async def test_a_flow_that_does_not_stop_is_left_behind(driver: LocalDriver) -> None:
    handle = await driver.start(spec_of("a", never_stops="yes"))
    assert isinstance(await next_news(handle), Ready)
    async with asyncio.timeout(10):
        await handle.stop(0.1)
    assert await next_news(handle) == Ended("stopped", StatusCode.STOP)


@pytest.mark.parametrize("host_lives", [True, False])
async def test_what_an_engine_started_goes_with_it(
    driver: LocalDriver, state_dir: Path, tmp_path: Path, host_lives: bool
) -> None:
    handle = await driver.start(spec_of("a", pids=str(tmp_path / "pids")))
    assert isinstance(await next_news(handle), Ready)
    plain, daemon, copy = map(int, (tmp_path / "pids").read_text().split())
    if not host_lives:
        kill_host(state_dir)
    os.kill(handle.identity.pid, signal.SIGKILL)
    assert isinstance(await next_news(handle), Exited)
    for pid in (plain, copy):
        wait_until(lambda pid=pid: not is_running(pid), f"{pid} is gone")  # type: ignore[misc]
    if host_lives:
        wait_until(lambda: not is_running(daemon), "even what left the session is gone")
    elif is_running(daemon):
        os.kill(daemon, signal.SIGKILL)
    again = await driver.start(spec_of("a", attempt=2))
    assert isinstance(await next_news(again), Ready)


@pytest.mark.parametrize("forced", [False, True])
async def test_a_daemon_goes_with_an_engine_whose_host_is_gone(
    driver: LocalDriver, state_dir: Path, tmp_path: Path, forced: bool
) -> None:
    handle = await driver.start(spec_of("a", pids=str(tmp_path / "pids")))
    assert isinstance(await next_news(handle), Ready)
    pids = [int(word) for word in (tmp_path / "pids").read_text().split()]
    kill_host(state_dir)
    await (handle.kill() if forced else handle.stop(1))
    wait_until(lambda: not any(map(is_running, pids)), "all that it started is gone")


async def test_no_zombies(driver: LocalDriver, state_dir: Path, tmp_path: Path) -> None:
    handle = await driver.start(spec_of("a", pids=str(tmp_path / "pids")))
    assert isinstance(await next_news(handle), Ready)
    await handle.kill()
    host = host_pid(state_dir)
    wait_until(lambda: Path(f"/proc/{host}/task/{host}/children").read_text() == "", "no child is left")


async def test_children_inherit_nothing_of_others(driver: LocalDriver, state_dir: Path) -> None:
    first, second = free_port(), free_port()
    one = await driver.start(spec_of("a", endpoints=f"127.0.0.1:{first}"))
    assert isinstance(await next_news(one), Ready)
    other = await driver.start(spec_of("b", endpoints=f"127.0.0.1:{second}"))
    assert isinstance(await next_news(other), Ready)
    files = [os.readlink(entry) for entry in _descriptors(other.identity.pid)]
    locks = [name for name in files if name.endswith(".lock")]
    assert locks == [str(RunDir(state_dir).of_engine("b", "lock"))]
    assert not set(files) & set(_sockets(one.identity.pid))
    # what it shares with the host is its listening socket, which the host owns, and nothing else
    assert len(set(_sockets(host_pid(state_dir))) & set(files)) == 1


def _descriptors(pid: int) -> list[Path]:
    return [entry for entry in Path(f"/proc/{pid}/fd").iterdir() if entry.is_symlink()]


def _sockets(pid: int) -> list[str]:
    names = []
    for entry in _descriptors(pid):
        try:
            names.append(os.readlink(entry))
        except FileNotFoundError:
            continue
    return [name for name in names if name.startswith("socket:")]


GARBAGE = [
    b"GET / HTTP/1.1\r\n\r\n",
    b"\xff\xff\xff\xff" + b"x" * 100,
    b"\x00\x00\x00\x05hello",
    b"\x00\x00\x00\x07\x81\xa4type\xa4nope",
    b"\x00\x00",
]


@pytest.mark.parametrize("garbage", GARBAGE)
async def test_garbage_and_half_sent_requests_harm_nobody(
    driver: LocalDriver, state_dir: Path, garbage: bytes
) -> None:
    handle = await driver.start(spec_of("a", endpoints=f"127.0.0.1:{free_port()}"))
    assert isinstance(await next_news(handle), Ready)
    run_dir = RunDir(state_dir)
    liars = []
    for path in (run_dir.path / "host.sock", run_dir.of_engine("a", "sock"), run_dir.of_engine("a", "http")):
        for _ in range(5):
            liar = connect_unix(path)
            liar.send(garbage)
            liars.append(liar)
    assert await handle.ping(2)
    other = await driver.start(spec_of("b"))
    assert isinstance(await next_news(other), Ready)
    for liar in liars:
        liar.close()


async def test_descriptors_without_a_request_are_closed(driver: LocalDriver, state_dir: Path) -> None:
    await driver.start(spec_of("a"))
    host = host_pid(state_dir)
    before = len(_descriptors(host))
    liar = connect_unix(RunDir(state_dir).path / "host.sock")
    socket.send_fds(liar, [b"\x00\x00\x00\x01\xc0"], [0, 1, 2])
    wait_until(lambda: len(_descriptors(host)) == before, "the host has closed what it did not ask for")
    liar.close()


async def test_a_second_host_gives_way(driver: LocalDriver, state_dir: Path) -> None:
    await driver.start(spec_of("a"))
    other = LocalDriver(state_dir, "tests.engines.tiny_flow:TinyRuntime")
    handles = await asyncio.gather(driver.start(spec_of("b")), other.start(spec_of("c")))
    for handle in handles:
        assert isinstance(await next_news(handle), Ready)
    assert sum("engine host" in title for title in processes_of(state_dir).values()) == 1
    await other.close()


async def test_two_drivers_bring_up_one_host(driver: LocalDriver, state_dir: Path) -> None:
    other = LocalDriver(state_dir, "tests.engines.tiny_flow:TinyRuntime")
    handles = await asyncio.gather(driver.start(spec_of("b")), other.start(spec_of("c")))
    for handle in handles:
        assert isinstance(await next_news(handle), Ready)
    assert sum("engine host" in title for title in processes_of(state_dir).values()) == 1
    await other.close()
