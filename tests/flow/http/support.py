"""Flows with HTTP units for the tests: real sockets on free ports, raw requests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from server.flow.description import FlowType, UnitDescription
from server.flow.flow import Flow, FlowLimits
from server.flow.graph import compile_graph
from server.flow.listeners import Listeners
from server.flow.own_listeners import OwnListeners
from server.flow.plan import Plan, PlanEdge, PlanNode
from server.flow.run.source import SourceNode
from server.flow.status import FlowError
from server.flow.units import BUILTIN
from tests.installation import free_port as free_port


def example_plan(port: int, path: str = "/example", receive: str = "", reply: str = "") -> Plan:
    """The graph of the API page; `receive` and `reply` are further node attributes."""
    text = f"""
    digraph demo {{
      httpserver_sync_receive[type=flowunit, flowunit=httpserver_sync_receive, device=cpu, deviceid=0,
        endpoint="http://127.0.0.1:{port}{path}", max_requests=10, time_out=5000 {receive}]
      httpserver_sync_reply[type=flowunit, flowunit=httpserver_sync_reply, device=cpu, deviceid=0 {reply}]
      httpserver_sync_receive:out_request_info -> httpserver_sync_reply:in_reply_info
    }}"""
    quoted = f"'''{text}'''"
    return compile_graph(f'[graph]\nformat = "graphviz"\ngraphconf = {quoted}\n', "toml")


def python_unit(name: str, **more: object) -> UnitDescription:
    """A unit of `tests.flow.http.units`."""
    described: dict[str, object] = {
        "name": name,
        "description": "for tests",
        "entry": f"tests.flow.http.units:{name}",
        "inputs": ("in_1",),
        "outputs": ("out_1",),
        "flow_type": FlowType.NORMAL,
        "default_batch_size": 8,
        "max_batch_size": 0,
    }
    return UnitDescription(**{**described, **more})  # type: ignore[arg-type]


def chain_plan(port: int, *units: UnitDescription, **receive: str) -> Plan:
    """receive -> units -> reply, at /."""
    builtin = {unit.name: unit for unit in BUILTIN}
    options = {"endpoint": f"http://127.0.0.1:{port}", **receive}
    nodes = [
        PlanNode(
            name="rx",
            unit=builtin["httpserver_sync_receive"],
            options=options,
            outputs=("out_request_info",),
        )
    ]
    edges = []
    for number, unit in enumerate(units):
        name = f"u{number}"
        last = nodes[-1]
        nodes.append(PlanNode(name=name, unit=unit, inputs=unit.inputs, outputs=unit.outputs))
        edges.append(
            PlanEdge(source=last.name, source_port=last.outputs[0], target=name, target_port=unit.inputs[0])
        )
    last = nodes[-1]
    nodes.append(PlanNode(name="tx", unit=builtin["httpserver_sync_reply"], inputs=("in_reply_info",)))
    edges.append(PlanEdge(source=last.name, source_port=last.outputs[0], target="tx", target_port="in_reply_info"))
    return Plan(name="chain", nodes=tuple(nodes), edges=tuple(edges))


@asynccontextmanager
async def running(
    plan: Plan, limits: FlowLimits | None = None, listeners: Listeners | None = None
) -> AsyncIterator[Flow]:
    flow = Flow(plan, listeners or OwnListeners(), limits or FlowLimits())
    await flow.open()
    try:
        yield flow
    finally:
        await flow.stop(1)


async def raw(port: int, *parts: bytes, pause: float = 0.01) -> bytes:
    """Sends `parts` one after the other, then reads until the other side closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()


def body_of(response: bytes) -> bytes:
    return response.partition(b"\r\n\r\n")[2]


def status_of(response: bytes) -> int:
    return int(response.split(b" ", 2)[1])


async def post(port: int, body: str | bytes = b"", **headers: str) -> httpx.Response:
    """To /a?b=c."""
    async with httpx.AsyncClient(timeout=20, verify=False) as client:
        return await client.post(f"http://127.0.0.1:{port}/a?b=c", content=body, headers=headers)


async def refusal_of(plan: Plan) -> FlowError:
    flow = Flow(plan, OwnListeners(), FlowLimits())
    with pytest.raises(FlowError) as caught:
        await flow.open()
    return caught.value


async def wait_for_requests(flow: Flow, count: int) -> None:
    assert flow._front is not None
    for _ in range(300):
        if flow._front.in_flight == count:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{flow._front.in_flight} requests are in flight, not {count}")


def post_bytes(body: bytes, *headers: bytes, target: bytes = b"/example", version: bytes = b"1.1") -> bytes:
    lines = [b"POST " + target + b" HTTP/" + version, b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def statuses(answer: bytes) -> list[int]:
    return [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]


async def test_pipelined_requests_are_answered_in_order() -> None:
    port = free_port()
    async with running(chain_plan(port, python_unit("Slow", default_batch_size=1))):
        pieces = b"".join(post(b"0.%d" % (5 - number), target=b"/") for number in range(5))
        answer = await raw(port, pieces + b"GET /health HTTP/1.0\r\n\r\n")
    bodies = [part.partition(b"\r\n\r\n")[2] for part in answer.split(b"HTTP/1.1 200 OK")[1:]]
    assert bodies[:5] == [b"0.%d" % (5 - number) for number in range(5)]


async def test_http_1_0_closes_unless_it_asks_to_keep_alive() -> None:
    port = free_port()
    async with running(example_plan(port)):
        closed = await raw(port, post(b"a", version=b"1.0") * 2)
        kept = await raw(port, post(b"a", b"Connection: keep-alive", version=b"1.0") + post(b"b", version=b"1.0"))
    assert statuses(closed) == [200]
    assert statuses(kept) == [200, 200]


async def test_connection_close_is_heeded() -> None:
    port = free_port()
    async with running(example_plan(port)):
        answer = await raw(port, post(b"a", b"Connection: close"))
    assert b"Connection: close\r\n" in answer


async def test_expect_100_continue_asks_for_the_body_and_then_answers() -> None:
    port = free_port()
    head = b"POST /example HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
    async with running(example_plan(port)):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head)
        assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5) == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"hi")
        answer = await asyncio.wait_for(reader.read(), 5)
        writer.close()
    assert (status_of(answer), body_of(answer)) == (200, b"hi")


async def wait_for_sessions(flow: Flow) -> None:
    """Until all that the sources began is through."""
    sources = [node for node in flow._nodes.values() if isinstance(node, SourceNode)]
    for _ in range(500):
        if not any(source.sessions for source in sources):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("sessions have not ended")
