"""Spec 7.3, bullet by bullet, as far as no other module of this folder is named after the matter.

TLS: tls/; httpserver_async: test_async; endpoints and prefixes: test_endpoints, test_requests; metas, text,
errors, time-outs and limits: test_answers.
"""

import asyncio
import logging

import httpx
import pytest

from server.flow.description import FlowType, OutputType
from server.flow.flow import FlowLimits
from server.flow.http.options import endpoint_text
from server.flow.plan import Plan, PlanEdge, PlanNode
from server.flow.unitapi import Configuration
from server.flow.units.http_reply import CONTENT_TYPES
from tests.flow.http.support import (
    body_of,
    chain_plan,
    example_plan,
    free_port,
    python_unit,
    raw,
    running,
    status_of,
)
from tests.flow.run.support import KINDS
from tests.flow.units.support import builtin

SECURITY = ("X-Frame-Options: DENY", "Referrer-Policy: ", "Content-Security-Policy: ")


def test_a_missing_endpoint_is_warned_about(caplog: pytest.LogCaptureFixture) -> None:
    assert endpoint_text(Configuration({})) == "http://127.0.0.1:8080"
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


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
async def test_content_type_of_the_reply(name: str, header: str) -> None:
    port = free_port()
    reply = f", content_type={name}" if name else ""
    async with running(example_plan(port, reply=reply)), httpx.AsyncClient() as client:
        answer = await client.get(f"http://127.0.0.1:{port}/example")
    assert answer.headers["content-type"] == header
    assert len(CONTENT_TYPES) == 15


@pytest.mark.parametrize(
    ("status", "request_text"),
    [
        (200, b"POST /a HTTP/1.1\r\nContent-Length: 1\r\nConnection: close\r\n\r\n0"),
        (200, b"GET /health HTTP/1.0\r\n\r\n"),
        (400, b"GET /a HTTP/9\r\n\r\n"),
        (405, b"TRACE /a HTTP/1.0\r\n\r\n"),
        (408, b"POST /a HTTP/1.1\r\nContent-Length: 1\r\nConnection: close\r\n\r\n2"),
        (413, b"POST /a HTTP/1.1\r\nContent-Length: 1001\r\n\r\n"),
        (431, b"GET /a HTTP/1.1\r\nX: " + b"a" * 70_000 + b"\r\n\r\n"),
        (500, b"POST /a HTTP/1.1\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx"),
    ],
)
async def test_every_answer_carries_the_security_headers(status: int, request_text: bytes) -> None:
    port = free_port()
    plan = chain_plan(port, python_unit("Slow", default_batch_size=1), time_out_ms="300")
    async with running(plan, FlowLimits(max_request_bytes=1000)):
        answer = await raw(port, request_text)
    assert status_of(answer) == status
    assert all(header in answer.decode() for header in SECURITY)


async def test_a_body_that_breaks_off_enters_no_flow_and_takes_no_slot() -> None:
    port = free_port()
    async with (
        running(chain_plan(port, python_unit("Slow"), max_requests="1")) as flow,
        httpx.AsyncClient() as client,
    ):
        for _ in range(3):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nab")
            await writer.drain()
            writer.close()
        assert (await client.post(f"http://127.0.0.1:{port}/", content="0")).status_code == 200
        counted = next(node for node in flow.counters() if node.node == "tx")
    assert counted.inputs[0].buffers == 1


async def test_only_the_first_buffer_of_a_session_is_the_reply() -> None:
    port = free_port()
    unit = python_unit("Twice", flow_type=FlowType.STREAM, max_batch_size=1)
    async with running(chain_plan(port, unit)):
        answer = await raw(port, b"POST / HTTP/1.1\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx")
    assert body_of(answer) == b"x1"


async def test_any_chain_of_units_between_even_expand_and_collapse() -> None:
    port = free_port()
    entry = "tests.flow.run.units:"
    split = python_unit("Split", **{**KINDS["Split"], "entry": f"{entry}Split", "output_type": OutputType.EXPAND})
    glue = python_unit("Glue", **{**KINDS["Glue"], "entry": f"{entry}Glue", "output_type": OutputType.COLLAPSE})
    texts = [f"{number:03}" for number in range(30)]
    async with running(chain_plan(port, split, glue)), httpx.AsyncClient() as client:
        url = f"http://127.0.0.1:{port}/"
        answers = await asyncio.gather(*(client.post(url, content=text) for text in texts))
    assert [answer.text for answer in answers] == [f"[{text}.0,{text}.1,{text}.2]" for text in texts]


async def test_a_session_that_no_sync_receive_began_has_nobody_to_reply_to() -> None:
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
