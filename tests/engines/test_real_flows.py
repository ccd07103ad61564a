"""The flow package under the local driver, from the graph to the answer."""

import asyncio
import http.client
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec import structs

from server.engines.driver import Ended, EngineSpec, Failed, Ready
from server.engines.handle import LocalHandle
from server.engines.local import LocalDriver
from tests.engines.conftest import end, kill_host
from tests.engines.jobs import free_port, next_news

ECHO = """
[graph]
format = "graphviz"
graphconf = '''digraph demo {{
  receive[type=flowunit, flowunit=httpserver_sync_receive, device=cpu, endpoint="http://127.0.0.1:{port}{path}"]
  reply[type=flowunit, flowunit=httpserver_sync_reply, device=cpu]
  receive:out_request_info -> reply:in_reply_info
}}'''
"""


@pytest.fixture
async def flows(state_dir: Path) -> AsyncIterator[LocalDriver]:
    driver = LocalDriver(state_dir)
    yield driver
    await end(driver, state_dir)


def spec_of(job_id: str, port: int, path: str, plan: str | None = None) -> EngineSpec:
    source = ECHO.format(port=port, path=path)
    return EngineSpec(
        job_id=job_id, incarnation=1, attempt=1, epoch=1, graph_format="toml", source=source, plan=plan
    )


async def started(driver: LocalDriver, job_id: str, port: int, path: str) -> LocalHandle:
    handle = await driver.start(spec_of(job_id, port, path))
    ready = await next_news(handle)
    assert isinstance(ready, Ready), ready
    return handle


def post(client: http.client.HTTPConnection, path: str, body: bytes) -> tuple[int, bytes]:
    client.request("POST", path, body)
    answer = client.getresponse()
    return answer.status, answer.read()


async def test_the_example_echoes(flows: LocalDriver) -> None:
    port = free_port()
    handle = await flows.start(spec_of("a", port, "/example"))
    ready = await next_news(handle)
    assert isinstance(ready, Ready)
    assert ready.endpoints == (f"http://127.0.0.1:{port}/example",)
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    assert await asyncio.to_thread(post, client, "/example", b"hello") == (200, b"hello")
    client.close()


async def test_the_plan_of_one_engine_serves_the_next(flows: LocalDriver) -> None:
    port = free_port()
    first = await flows.start(spec_of("a", port, "/example"))
    ready = await next_news(first)
    assert isinstance(ready, Ready)
    await first.stop(1)
    await flows.release("a")
    second = await flows.start(spec_of("a", port, "/example", ready.plan))
    assert await next_news(second) == Ready(endpoints=ready.endpoints, plan=None)


async def test_a_graph_that_is_wrong_says_where(flows: LocalDriver) -> None:
    spec = spec_of("a", free_port(), "/")
    wrong = spec.source.replace("in_reply_info", "in_wrong")
    handle = await flows.start(
        EngineSpec(job_id="a", incarnation=1, attempt=1, epoch=1, graph_format="toml", source=wrong)
    )
    failed = await next_news(handle)
    assert isinstance(failed, Failed)
    assert "in_wrong" in failed.message


async def test_two_engines_profile_into_one_folder(flows: LocalDriver, tmp_path: Path) -> None:
    handles = []
    for job_id in ("a", "b"):
        spec = spec_of(job_id, free_port(), "/")
        profile = f'[profile]\nperformance = true\ntrace = true\ndir = "{tmp_path}/perf"\n'
        handle = await flows.start(structs.replace(spec, source=profile + spec.source))
        assert isinstance(await next_news(handle), Ready)
        handles.append(handle)
    await asyncio.gather(*(handle.stop(1) for handle in handles))
    for handle in handles:
        assert isinstance(await next_news(handle), Ended)
    written = [path.name.partition("_")[0] for path in (tmp_path / "perf").iterdir()]
    assert sorted(written) == ["performance", "performance", "trace", "trace"]


async def test_one_connection_alternates_between_two_flows(flows: LocalDriver) -> None:
    port = free_port()
    a = await started(flows, "a", port, "/a")
    b = await started(flows, "b", port, "/b")
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection: socket.socket | None = None
    for turn in range(10):
        for path in ("/a", "/b/x"):
            body = f"{path} {turn}".encode() * 1000
            assert await asyncio.to_thread(post, client, path, body) == (200, body)
            connection = connection or client.sock
            assert client.sock is connection, "a connection was closed between the two"
    await a.stop(1)
    assert await asyncio.to_thread(post, client, "/b", b"still here") == (200, b"still here")
    assert await b.ping(5)
    client.close()


async def test_flows_share_a_port_under_a_new_host(flows: LocalDriver, state_dir: Path) -> None:
    port = free_port()
    await started(flows, "a", port, "/a")
    kill_host(state_dir)
    await started(flows, "b", port, "/b")
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    assert await asyncio.to_thread(post, client, "/a", b"1") == (200, b"1")
    assert await asyncio.to_thread(post, client, "/b", b"2") == (200, b"2")
    client.close()


async def test_a_graph_s_arguments_have_their_defaults(flows: LocalDriver) -> None:
    """More than ModelBox does, which fills them in `init_by_name` only (spec 1.4): a job has no other way."""
    port = free_port()
    source = ECHO.format(port=port, path="$x").replace(f'"http://127.0.0.1:{port}$x"', '"$where"')
    source += f'[args.where]\ndefault = "http://127.0.0.1:{port}/example"\n'
    ready = await next_news(await flows.start(structs.replace(spec_of("a", port, "/"), source=source)))
    assert isinstance(ready, Ready), ready
    assert ready.endpoints == (f"http://127.0.0.1:{port}/example",)
