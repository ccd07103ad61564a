"""A job's engine is replaced by another one while clients talk to it."""

import asyncio
import http.client
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec import structs

from server.engines.driver import Ended, EngineRefused, Exited, Failed, Ready
from server.engines.handle import LocalHandle
from server.engines.local import LocalDriver
from tests.engines.conftest import end, kill_host
from tests.engines.jobs import free_port, next_news
from tests.engines.test_real_flows import post, spec_of, started
from tests.hammer import hammering


@pytest.fixture
async def flows(state_dir: Path) -> AsyncIterator[LocalDriver]:
    driver = LocalDriver(state_dir)
    yield driver
    await end(driver, state_dir)


async def successor_of(driver: LocalDriver, handle: LocalHandle, port: int, path: str) -> LocalHandle:
    head = handle.hello.head
    spec = structs.replace(
        spec_of(head.job_id, port, path), attempt=head.attempt + 1, seat=1 - head.seat, successor=True
    )
    after = await driver.start(spec)
    ready = await next_news(after)
    assert isinstance(ready, Ready), ready
    return after


async def switch(driver: LocalDriver, before: LocalHandle, after: LocalHandle) -> None:
    await before.give_way()
    await after.promote()
    await before.stop(5)
    assert isinstance(await next_news(before), Ended)
    assert isinstance(await next_news(before), Exited)
    await before.forget()
    await driver.retain(after)


async def test_clients_notice_nothing(flows: LocalDriver) -> None:
    port = free_port()
    engine = await started(flows, "a", port, "/example")
    idle = [http.client.HTTPConnection("127.0.0.1", port, timeout=10) for _ in range(20)]
    for client in idle:
        assert await asyncio.to_thread(post, client, "/example", b"1") == (200, b"1")
    sockets = [client.sock for client in idle]
    with hammering(port, "/example") as hammer:
        for _ in range(10):
            after = await successor_of(flows, engine, port, "/example")
            await switch(flows, engine, after)
            engine = after
    for client in idle:
        assert await asyncio.to_thread(post, client, "/example", b"2") == (200, b"2")
    assert hammer.wrong == []
    assert len(hammer.answers) > 10
    assert [client.sock for client in idle] == sockets, "a connection at rest was closed"
    for client in idle:
        client.close()


async def test_neighbours_on_the_port_hand_over_to_whoever_serves(flows: LocalDriver) -> None:
    port = free_port()
    engine = await started(flows, "a", port, "/a")
    await started(flows, "b", port, "/b")
    with hammering(port, "/a") as of_a, hammering(port, "/b") as of_b:
        for _ in range(5):
            after = await successor_of(flows, engine, port, "/a")
            await switch(flows, engine, after)
            engine = after
    assert (of_a.wrong, of_b.wrong) == ([], [])
    assert of_a.answers
    assert of_b.answers


async def test_a_successor_serves_nothing_before_it_is_promoted(flows: LocalDriver) -> None:
    port = free_port()
    engine = await started(flows, "a", port, "/old")
    after = await successor_of(flows, engine, port, "/new")
    for _ in range(10):
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        assert await asyncio.to_thread(post, client, "/old", b"1") == (200, b"1")
        client.close()
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    assert (await asyncio.to_thread(post, client, "/new", b"1"))[0] == 404
    await switch(flows, engine, after)
    assert await asyncio.to_thread(post, client, "/new", b"2") == (200, b"2")
    assert (await asyncio.to_thread(post, client, "/old", b"1"))[0] == 404
    client.close()


async def test_a_successor_that_is_stopped_leaves_the_engine_alone(flows: LocalDriver) -> None:
    port, other = free_port(), free_port()
    engine = await started(flows, "a", port, "/example")
    after = await successor_of(flows, engine, other, "/example")
    await after.stop(1)
    assert isinstance(await next_news(after), Ended)
    await flows.retain(engine)
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    assert await asyncio.to_thread(post, client, "/example", b"1") == (200, b"1")
    client.close()
    with pytest.raises(ConnectionRefusedError):
        http.client.HTTPConnection("127.0.0.1", other, timeout=10).connect()


async def test_a_successor_that_cannot_be_built_says_why(flows: LocalDriver) -> None:
    port = free_port()
    engine = await started(flows, "a", port, "/example")
    spec = spec_of("a", port, "/example")
    wrong = spec.source.replace("in_reply_info", "in_wrong")
    after = await flows.start(structs.replace(spec, attempt=2, seat=1, successor=True, source=wrong))
    failed = await next_news(after)
    assert isinstance(failed, Failed)
    assert "in_wrong" in failed.message
    assert await engine.ping(5)


async def test_a_job_has_two_engines_only_while_one_succeeds_the_other(flows: LocalDriver) -> None:
    port = free_port()
    engine = await started(flows, "a", port, "/example")
    second = structs.replace(spec_of("a", port, "/example"), attempt=2)
    for seat in (0, 1):
        with pytest.raises(EngineRefused, match="attempt 1 of job a still runs"):
            await flows.start(structs.replace(second, seat=seat))
    after = await successor_of(flows, engine, port, "/example")
    third = structs.replace(second, attempt=3, successor=True)
    for seat in (0, 1):
        with pytest.raises(EngineRefused, match="still runs"):
            await flows.start(structs.replace(third, seat=seat))
    assert await flows.engines() == {("a", 0), ("a", 1)}
    await switch(flows, engine, after)


async def test_a_new_host_serves_both(flows: LocalDriver, state_dir: Path) -> None:
    port = free_port()
    engine = await started(flows, "a", port, "/example")
    after = await successor_of(flows, engine, port, "/example")
    kill_host(state_dir)
    await flows.prepare()
    with hammering(port, "/example") as hammer:
        await switch(flows, engine, after)
    assert hammer.wrong == []
    third = await successor_of(flows, after, port, "/example")
    await switch(flows, after, third)


async def test_requests_under_way_are_answered_by_whom_they_were_sent_to(flows: LocalDriver) -> None:
    """A request whose body is still on its way when its engine gives way."""
    port = free_port()
    engine = await started(flows, "a", port, "/example")
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /example HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab")
    await writer.drain()
    await asyncio.sleep(0.05)
    after = await successor_of(flows, engine, port, "/example")
    await engine.give_way()
    await after.promote()
    stopping = asyncio.create_task(engine.stop(5))
    writer.write(b"cd")
    answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"abcd")
    assert b"connection: close" in answer.lower()
    writer.close()
    await stopping
