"""Spec 7.3, httpserver_async: 202 at once, in flight until the session ends."""

import asyncio
import threading

import httpx
import pytest

from server.flow.description import FlowType
from server.flow.flow import Flow
from server.flow.plan import Plan, PlanEdge, PlanNode
from server.flow.units import BUILTIN
from tests.flow.http import units
from tests.flow.http.support import free_port, python_unit, raw, running, status_of


def async_plan(port: int, **options: str) -> Plan:
    """httpserver_async -> Collects."""
    receive = next(unit for unit in BUILTIN if unit.name == "httpserver_async")
    sink = python_unit("Collects", outputs=(), flow_type=FlowType.STREAM, max_batch_size=1)
    nodes = (
        PlanNode(
            name="rx",
            unit=receive,
            options={"endpoint": f"http://127.0.0.1:{port}/a", **options},
            outputs=("out_request_info",),
        ),
        PlanNode(name="sink", unit=sink, inputs=("in_1",)),
    )
    edge = PlanEdge(source="rx", source_port="out_request_info", target="sink", target_port="in_1")
    return Plan(name="async", nodes=nodes, edges=(edge,))


@pytest.fixture(autouse=True)
def collected() -> list[tuple[str, str]]:
    units.Collects.seen = []
    units.Collects.gate = threading.Event()
    units.Collects.gate.set()
    return units.Collects.seen


async def request(port: int, method: str = "POST", path: str = "/a/b?c=d", body: str = "") -> httpx.Response:
    async with httpx.AsyncClient(timeout=10) as client:
        return await client.request(method, f"http://127.0.0.1:{port}{path}", content=body)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
async def test_a_request_is_answered_202_empty_and_enters_the_flow_with_its_metas(
    method: str, collected: list[tuple[str, str]]
) -> None:
    port = free_port()
    async with running(async_plan(port)) as flow:
        answer = await request(port, method, body="hello")
        await wait_until_idle(flow)
    assert (answer.status_code, answer.content) == (202, b"")
    assert answer.headers["x-frame-options"] == "DENY"
    assert collected == [("hello", f"{method} /a/b?c=d http://127.0.0.1:{port}/a 5")]


async def test_the_answer_does_not_wait_for_the_flow() -> None:
    port = free_port()
    units.Collects.gate.clear()
    async with running(async_plan(port)) as flow:
        assert (await request(port)).status_code == 202
        assert not units.Collects.seen
        units.Collects.gate.set()
        await wait_until_idle(flow)
    assert len(units.Collects.seen) == 1


async def test_max_requests_counts_sessions_that_have_not_ended() -> None:
    port = free_port()
    units.Collects.gate.clear()
    async with running(async_plan(port, max_requests="2")) as flow:
        statuses = [(await request(port)).status_code for _ in range(4)]
        assert statuses == [202, 202, 429, 429]
        units.Collects.gate.set()
        await wait_until_idle(flow)
        assert (await request(port)).status_code == 202


async def test_the_last_free_slot_is_taken_by_one_of_many() -> None:
    port = free_port()
    units.Collects.gate.clear()
    async with running(async_plan(port, max_requests="3")):
        answers = await asyncio.gather(*(request(port, body="x" * 1000) for _ in range(30)))
        units.Collects.gate.set()
    assert sorted(answer.status_code for answer in answers) == [202] * 3 + [429] * 27


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("OPTIONS", "/a", 405), ("TRACE", "/a", 405), ("POST", "/b", 404), ("POST", "/ab", 404)],
)
async def test_methods_and_paths_are_those_of_the_sync_unit(method: str, path: str, status: int) -> None:
    port = free_port()
    async with running(async_plan(port)):
        assert (await request(port, method, path)).status_code == status
    assert not units.Collects.seen


async def test_stop_lets_accepted_requests_finish_within_the_grace() -> None:
    port = free_port()
    units.Collects.gate.clear()
    async with running(async_plan(port)) as flow:
        assert (await request(port)).status_code == 202
        threading.Timer(0.2, units.Collects.gate.set).start()
        await flow.stop(5)
    assert len(units.Collects.seen) == 1


async def test_a_session_that_fails_frees_its_slot() -> None:
    port = free_port()
    async with running(async_plan(port, max_requests="1")) as flow:
        for _ in range(3):
            assert (await request(port, body="raise")).status_code == 202
            await wait_until_idle(flow)


async def test_a_client_that_leaves_at_once_has_sent_its_request() -> None:
    port = free_port()
    async with running(async_plan(port)) as flow:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /a HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi")
        await writer.drain()
        writer.close()
        for _ in range(200):
            if units.Collects.seen:
                break
            await asyncio.sleep(0.01)
        await wait_until_idle(flow)
    assert [body for body, _ in units.Collects.seen] == ["hi"]


async def test_pipelined_requests_are_all_accepted() -> None:
    port = free_port()
    one = b"POST /a HTTP/1.1\r\nContent-Length: 1\r\n\r\nx"
    async with running(async_plan(port)) as flow:
        answer = await raw(port, one * 4 + b"GET /a HTTP/1.0\r\n\r\n")
        await wait_until_idle(flow)
    assert status_of(answer) == 202
    assert answer.count(b"HTTP/1.1 202 ") == 5
    assert len(units.Collects.seen) == 5


async def wait_until_idle(flow: Flow) -> None:
    assert flow._front is not None
    for _ in range(500):
        if not flow._front.in_flight:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("requests are still in flight")
