"""Ports: who gets them, who keeps them, and several jobs on one."""

import asyncio
import os
import signal
import socket
from pathlib import Path

import pytest

from server.engines.claims import covers
from server.engines.driver import Failed, Ready
from server.engines.handle import LocalHandle
from server.engines.local import LocalDriver
from tests.engines.conftest import kill_host
from tests.engines.jobs import Client, free_port, get, next_news, spec_of


async def started(driver: LocalDriver, job: str, *endpoints: str, attempt: int = 1) -> LocalHandle:
    handle = await driver.start(spec_of(job, attempt=attempt, endpoints=" ".join(endpoints)))
    assert isinstance(await next_news(handle), Ready)
    return handle


async def refused(driver: LocalDriver, job: str, endpoint: str) -> str:
    handle = await driver.start(spec_of(job, endpoints=endpoint))
    failed = await next_news(handle)
    assert isinstance(failed, Failed)
    return failed.message


async def test_one_connection_alternates_between_jobs(driver: LocalDriver) -> None:
    port = free_port()
    a = await started(driver, "a", f"127.0.0.1:{port}/a")
    b = await started(driver, "b", f"127.0.0.1:{port}/b")
    everything = await started(driver, "rest", f"127.0.0.1:{port}")
    client = await asyncio.to_thread(Client, port)
    for _ in range(20):
        assert await asyncio.to_thread(client.get, "/a") == f"a /a {a.identity.pid}"
        assert await asyncio.to_thread(client.get, "/b/x?y") == f"b /b/x?y {b.identity.pid}"
        assert await asyncio.to_thread(client.get, "/bc") == f"rest /bc {everything.identity.pid}"
    client.close()


async def test_many_connections_at_once(driver: LocalDriver) -> None:
    port = free_port()
    handles = {job: await started(driver, job, f"127.0.0.1:{port}/{job}") for job in ("a", "b", "c")}

    def talk(number: int) -> None:
        client = Client(port)
        for turn in range(20):
            job = "abc"[(number + turn) % 3]
            assert client.get(f"/{job}") == f"{job} /{job} {handles[job].identity.pid}"
        client.close()

    await asyncio.gather(*(asyncio.to_thread(talk, number) for number in range(30)))


async def test_a_job_goes_without_hurting_its_neighbour(driver: LocalDriver) -> None:
    port = free_port()
    a = await started(driver, "a", f"127.0.0.1:{port}/a")
    b = await started(driver, "b", f"127.0.0.1:{port}/b")
    client = await asyncio.to_thread(Client, port)
    assert await asyncio.to_thread(client.get, "/b") == f"b /b {b.identity.pid}"
    await a.kill()
    assert await asyncio.to_thread(client.get, "/b") == f"b /b {b.identity.pid}"
    # nobody may wait any more once it is released; a request that comes later than that is the neighbour's own
    waiting = asyncio.create_task(asyncio.to_thread(client.get, "/a"))
    await asyncio.sleep(0.2)
    await driver.release("a")
    assert await waiting in ("503 gone", f"b /a {b.identity.pid}")
    assert await asyncio.to_thread(client.get, "/b") == f"b /b {b.identity.pid}"
    client.close()


async def test_a_new_attempt_is_found_by_its_neighbour(driver: LocalDriver) -> None:
    port = free_port()
    a = await started(driver, "a", f"127.0.0.1:{port}/a")
    await started(driver, "b", f"127.0.0.1:{port}/b")
    client = await asyncio.to_thread(Client, port)
    await asyncio.to_thread(client.get, "/b")
    await a.kill()
    # through the neighbour too, requests wait while it is replaced
    waiting = asyncio.create_task(asyncio.to_thread(client.get, "/a"))
    await asyncio.sleep(0.05)
    again = await started(driver, "a", f"127.0.0.1:{port}/a", attempt=2)
    assert await waiting == f"a /a {again.identity.pid}"
    client.close()


async def test_a_neighbour_that_hangs_costs_its_own_requests_only(driver: LocalDriver) -> None:
    port = free_port()
    a = await started(driver, "a", f"127.0.0.1:{port}/a")
    os.kill(a.identity.pid, signal.SIGSTOP)
    b = await started(driver, "b", f"127.0.0.1:{port}/b")
    client = await asyncio.to_thread(Client, port)
    assert await asyncio.to_thread(client.get, "/a") == "503 gone"
    assert await asyncio.to_thread(client.get, "/b") == f"b /b {b.identity.pid}"
    # what it finds when it wakes up is nobody's any more
    os.kill(a.identity.pid, signal.SIGCONT)
    assert await a.ping(5)
    assert await asyncio.to_thread(client.get, "/b") == f"b /b {b.identity.pid}"
    client.close()


async def test_neighbours_stay_neighbours_under_a_new_host(driver: LocalDriver, state_dir: Path) -> None:
    port = free_port()
    a = await started(driver, "a", f"127.0.0.1:{port}/a")
    b = await started(driver, "b", f"127.0.0.1:{port}/b")
    kill_host(state_dir)
    c = await started(driver, "c", f"127.0.0.1:{port}/c")
    client = await asyncio.to_thread(Client, port)
    for job, handle in (("a", a), ("b", b), ("c", c)):
        assert await asyncio.to_thread(client.get, f"/{job}") == f"{job} /{job} {handle.identity.pid}"
    client.close()


async def test_connections_wait_while_an_engine_is_replaced(driver: LocalDriver) -> None:
    port = free_port()
    first = await started(driver, "a", f"127.0.0.1:{port}")
    await first.kill()
    waiting = [asyncio.create_task(asyncio.to_thread(get, port, "/")) for _ in range(3)]
    second = await started(driver, "a", f"127.0.0.1:{port}", attempt=2)
    assert await asyncio.gather(*waiting) == [f"a / {second.identity.pid}"] * 3


async def test_a_released_port_is_closed(driver: LocalDriver) -> None:
    port = free_port()
    handle = await started(driver, "a", f"127.0.0.1:{port}/a")
    await handle.stop(1)
    await driver.release("a")
    with pytest.raises(ConnectionRefusedError):
        get(port, "/a")


async def test_the_same_path_is_one_jobs_only(driver: LocalDriver) -> None:
    port = free_port()
    await started(driver, "a", f"127.0.0.1:{port}/x")
    assert await refused(driver, "b", f"127.0.0.1:{port}/x/") == (
        f"Fault, 127.0.0.1:{port}/x is already served by job a; choose another port or path"
    )


async def test_a_port_of_a_stranger(driver: LocalDriver) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        message = await refused(driver, "a", f"127.0.0.1:{port}/x")
    assert message == f"Fault, cannot listen on 127.0.0.1:{port}: Address already in use"


async def test_an_address_that_is_not_ours(driver: LocalDriver) -> None:
    message = await refused(driver, "a", "192.0.2.1:8080")
    assert message == "Fault, cannot listen on 192.0.2.1:8080: Cannot assign requested address"


async def test_a_name_nobody_knows(driver: LocalDriver) -> None:
    message = await refused(driver, "a", "nobody.invalid:8080")
    assert message.startswith("Fault, the host 'nobody.invalid' is not known: ")


async def test_names_and_addresses_are_the_same_place(driver: LocalDriver) -> None:
    port = free_port()
    a = await started(driver, "a", f"127.0.0.1:{port}/a")
    await started(driver, "b", f"localhost:{port}/b")
    client = await asyncio.to_thread(Client, port)
    await asyncio.to_thread(client.get, "/b")
    assert await asyncio.to_thread(client.get, "/a") == f"a /a {a.identity.pid}"
    client.close()


@pytest.mark.parametrize(
    ("prefix", "path", "under"),
    [
        ("", "/", True),
        ("", "/a/b", True),
        ("/a", "/a", True),
        ("/a", "/a/", True),
        ("/a", "/a/b", True),
        ("/a", "/ab", False),
        ("/a", "/", False),
        ("/a/b", "/a", False),
    ],
)
def test_a_prefix_covers_whole_segments(prefix: str, path: str, under: bool) -> None:
    assert covers(prefix, path) is under
