"""Spec appendix C, 11: what clients of the HTTP units meet, in one flow. The rows behind it: test_spec_7_3_*."""

import asyncio
import threading

import httpx

from server.flow.description import FlowType
from server.flow.plan import Plan, PlanEdge, PlanNode
from tests.flow.http import units
from tests.flow.http.support import free_port, python_unit, raw, running, status_of, wait_for_requests
from tests.flow.units.support import builtin

SECURITY = {"x-frame-options", "referrer-policy", "content-security-policy"}


def both(port: int) -> Plan:
    """/sync -> Slow -> a reply in JSON; /async -> Collects. Each takes one request at a time."""
    slow = python_unit("Slow", default_batch_size=1)
    sink = python_unit("Collects", outputs=(), flow_type=FlowType.STREAM, max_batch_size=1)
    at = {path: {"endpoint": f"http://127.0.0.1:{port}/{path}", "max_requests": "1"} for path in ("sync", "async")}
    sync = {**at["sync"], "time_out_ms": "500"}
    out = ("out_request_info",)
    nodes = (
        PlanNode(name="rx", unit=builtin("httpserver_sync_receive"), options=sync, outputs=out),
        PlanNode(name="slow", unit=slow, inputs=slow.inputs, outputs=slow.outputs),
        PlanNode(
            name="tx",
            unit=builtin("httpserver_sync_reply"),
            options={"content_type": "json"},
            inputs=("in_reply_info",),
        ),
        PlanNode(name="later", unit=builtin("httpserver_async"), options=at["async"], outputs=out),
        PlanNode(name="end", unit=sink, inputs=sink.inputs),
    )
    edges = (
        PlanEdge(source="rx", source_port="out_request_info", target="slow", target_port="in_1"),
        PlanEdge(source="slow", source_port="out_1", target="tx", target_port="in_reply_info"),
        PlanEdge(source="later", source_port="out_request_info", target="end", target_port="in_1"),
    )
    return Plan(name="both", nodes=nodes, edges=edges)


async def test_c_11_status_codes_content_type_and_headers() -> None:
    units.Collects.seen, units.Collects.gate = [], threading.Event()
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    async with running(both(port)) as flow, httpx.AsyncClient(base_url=url) as client:
        answers = {200: await client.post("/sync", content="0")}
        late = asyncio.create_task(client.post("/sync", content="0.8"))
        await wait_for_requests(flow, 1)
        answers[429] = await client.post("/sync", content="0")
        answers[408] = await late
        answers[202] = await client.post("/async", content="1")
        assert (await client.post("/async", content="2")).status_code == 429
        answers[405] = await client.request("TRACE", "/sync")
        assert (await client.options("/async")).status_code == 405
        bad = await raw(port, b"POST /sync HTTP/1.1\r\nContent-Length: many\r\n\r\n")
        units.Collects.gate.set()
    assert {code: answer.status_code for code, answer in answers.items()} == {code: code for code in answers}
    assert status_of(bad) == 400
    assert answers[200].headers["content-type"] == "application/json"
    assert answers[405].headers["allow"] == "POST, GET, DELETE, PUT"
    assert all(set(answer.headers) >= SECURITY for answer in answers.values())


async def test_c_11_health() -> None:
    port = free_port()
    plan = both(port)
    at_root = {**plan.nodes[0].options, "endpoint": f"http://127.0.0.1:{port}"}
    nodes = (PlanNode(name="rx", unit=plan.nodes[0].unit, options=at_root, outputs=plan.nodes[0].outputs),)
    async with running(Plan(name="root", nodes=(*nodes, *plan.nodes[1:]), edges=plan.edges)):
        answer = await raw(port, b"GET /health HTTP/1.0\r\n\r\n")
    assert status_of(answer) == 200
    assert answer.endswith(b'{"message":"success","status":200}')
