"""Flows with HTTP units for the tests: real sockets on free ports, raw requests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from server.flow.description import FlowType, UnitDescription
from server.flow.flow import Flow, FlowLimits
from server.flow.graph import compile_graph
from server.flow.listeners import Listeners
from server.flow.own_listeners import OwnListeners
from server.flow.plan import Plan, PlanEdge, PlanNode
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
