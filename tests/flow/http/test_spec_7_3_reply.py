"""Spec 7.3: httpserver_sync_reply, and what becomes of requests that get no reply."""

import asyncio
import random

import httpx
import pytest

from server.flow.description import FlowType, OutputType
from server.flow.plan import Plan, PlanEdge, PlanNode
from server.flow.units.http_reply import CONTENT_TYPES
from tests.flow.http.support import (
    body_of,
    chain_plan,
    example_plan,
    free_port,
    post,
    python_unit,
    raw,
    running,
    wait_for_sessions,
)
from tests.flow.run.support import KINDS
from tests.flow.units.support import builtin


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("htm", "text/html"),
        ("html", "text/html"),
        ("js", "text/javascript"),
        ("css", "text/css"),
        ("json", "application/json"),
        ("png", "image/png"),
        ("gif", "image/gif"),
        ("jpeg", "image/jpeg"),
        ("svg", "image/svg+xml"),
        ("tar", "application/x-tar"),
        ("txt", "text/plain;charset=utf-8"),
        ("ico", "application/octet-stream"),
        ("xml", "text/xml"),
        ("mpeg", "video/mpeg"),
        ("mp3", "audio/mpeg"),
        ("", "text/plain;charset=utf-8"),
    ],
)
async def test_7_3_content_type(name: str, header: str) -> None:
    port = free_port()
    reply = f", content_type={name}" if name else ""
    async with running(example_plan(port, reply=reply)), httpx.AsyncClient() as client:
        answer = await client.get(f"http://127.0.0.1:{port}/example")
    assert answer.headers["content-type"] == header
    assert len(CONTENT_TYPES) == 15


async def test_7_3_the_metas_status_and_headers_of_the_reply_are_heeded() -> None:
    """ModelBox always answers with 200 and without headers of the flow."""
    port = free_port()
    async with running(chain_plan(port, python_unit("Status418"))):
        answer = await post(port, "hi")
    assert (answer.status_code, answer.text) == (418, "hi")
    assert answer.headers["x-tea"] == "green"
    assert answer.headers["content-type"] == "text/tea"
    assert "set-cookie" not in answer.headers


async def test_7_3_only_the_first_buffer_of_a_session_is_the_reply() -> None:
    port = free_port()
    unit = python_unit("Twice", flow_type=FlowType.STREAM, max_batch_size=1)
    async with running(chain_plan(port, unit)):
        answer = await raw(port, b"POST / HTTP/1.1\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx")
    assert body_of(answer) == b"x1"


async def test_7_3_a_session_that_no_sync_receive_began_has_nobody_to_reply_to() -> None:
    port = free_port()
    receive = {"endpoint": f"http://127.0.0.1:{port}"}
    nodes = (
        PlanNode(name="rx", unit=builtin("httpserver_async"), options=receive, outputs=("out_request_info",)),
        PlanNode(name="tx", unit=builtin("httpserver_sync_reply"), inputs=("in_reply_info",)),
    )
    edge = PlanEdge(source="rx", source_port="out_request_info", target="tx", target_port="in_reply_info")
    async with running(Plan(name="p", nodes=nodes, edges=(edge,))) as flow, httpx.AsyncClient() as client:
        for _ in range(3):
            assert (await client.post(f"http://127.0.0.1:{port}/", content="x")).status_code == 202
        for _ in range(500):
            counted = next(node for node in flow.counters() if node.node == "tx")
            if counted.errors == 3:
                break
            await asyncio.sleep(0.01)
        assert counted.errors == 3


async def test_7_3_any_chain_of_units_between_even_expand_and_collapse() -> None:
    port = free_port()
    entry = "tests.flow.run.units:"
    split = python_unit("Split", **{**KINDS["Split"], "entry": f"{entry}Split", "output_type": OutputType.EXPAND})
    glue = python_unit("Glue", **{**KINDS["Glue"], "entry": f"{entry}Glue", "output_type": OutputType.COLLAPSE})
    texts = [f"{number:03}" for number in range(30)]
    async with running(chain_plan(port, split, glue)), httpx.AsyncClient() as client:
        url = f"http://127.0.0.1:{port}/"
        answers = await asyncio.gather(*(client.post(url, content=text) for text in texts))
    assert [answer.text for answer in answers] == [f"[{text}.0,{text}.1,{text}.2]" for text in texts]


async def test_7_3_any_chain_of_units_between_even_one_with_events() -> None:
    port = free_port()
    unit = python_unit("Counts", flow_type=FlowType.STREAM, default_batch_size=1, max_batch_size=1)
    async with running(chain_plan(port, unit)):
        answers = await asyncio.gather(*(post(port, "go") for _ in range(20)))
    assert {answer.text for answer in answers} == {"counted down"}


async def test_7_3_replies_find_their_requests_through_batches_and_delays() -> None:
    port = free_port()
    batches = python_unit("Slow", default_batch_size=5)
    singles = python_unit("Slow", default_batch_size=1)
    plan = chain_plan(port, batches, singles, batches)
    waits = [f"{random.Random(seed).random() * 0.02:.6f}" for seed in range(200)]
    async with running(plan), httpx.AsyncClient(timeout=30) as http:
        answers = await asyncio.gather(*(http.post(f"http://127.0.0.1:{port}/", content=wait) for wait in waits))
    assert [(answer.status_code, answer.text) for answer in answers] == [(200, wait) for wait in waits]


@pytest.mark.parametrize(
    ("unit", "code", "message"),
    [
        ("Raises", "Raises.ProcessError", "ValueError: cannot take hi"),
        ("ReturnsError", "ReturnsError.ProcessError", "nothing in it"),
        ("SetsError", "Mine.Bad", "wrong key"),
    ],
)
async def test_7_3_an_error_is_500_at_once_and_frees_the_slot(unit: str, code: str, message: str) -> None:
    """ModelBox never answers, and its slot is lost for good."""
    port = free_port()
    async with running(chain_plan(port, python_unit(unit), max_requests="1")):
        for _ in range(3):
            answer = await asyncio.wait_for(post(port, "hi", **{"content-type": "text/plain"}), 3)
            assert answer.status_code == 500
            assert answer.json() == {"error_code": code, "error_msg": message}


async def test_7_3_a_session_that_ends_without_a_reply_is_500_at_once() -> None:
    """ModelBox lets its client wait for the 408."""
    port = free_port()
    unit = python_unit("Drops", flow_type=FlowType.STREAM, default_batch_size=1, max_batch_size=1)
    async with running(chain_plan(port, unit)):
        answer = await asyncio.wait_for(post(port, "hi"), 3)
    assert answer.status_code == 500
    assert answer.json()["error_code"] == "NoReply"


async def test_7_3_a_stream_that_is_kept_open_ends_with_its_request() -> None:
    """In ModelBox it stays for as long as the flow does."""
    port = free_port()
    unit = python_unit("Continues", flow_type=FlowType.STREAM, default_batch_size=1, max_batch_size=1)
    async with running(chain_plan(port, unit, time_out_ms="50")) as flow:
        assert (await post(port, "x")).status_code == 408
        await wait_for_sessions(flow)
