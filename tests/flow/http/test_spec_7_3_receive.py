"""Spec 7.3: from a request to its session. Its options: test_spec_7_3_options; HTTP in general: test_requests."""

import asyncio
import socket

import httpx
import pytest

from server.flow.description import FlowType
from server.flow.flow import FlowLimits
from server.flow.run.source import SourceNode
from server.flow.status import StatusCode
from tests.flow.http import units
from tests.flow.http.support import (
    body_of,
    chain_plan,
    example_plan,
    free_port,
    post,
    post_bytes,
    python_unit,
    raw,
    refusal_of,
    running,
    status_of,
    statuses,
    wait_for_sessions,
)

SECURITY = ("X-Frame-Options: DENY", "Referrer-Policy: ", "Content-Security-Policy: ")


async def test_7_3_a_port_that_is_taken_fails_the_build_with_fault() -> None:
    """Here it is claimed when all units are open, so that no client meets a flow that does not work yet."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        error = await refusal_of(example_plan(port))
    assert error.messages[:2] == (
        "build graph failed, please check graph config.",
        "open flowunit 'httpserver_sync_receive', type 'cpu' failed.",
    )
    assert str(port) in error.messages[2]
    assert error.code is StatusCode.FAULT


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (b"/example", 200),
        (b"/example/", 200),
        (b"/example/x/y", 200),
        (b"/example?x=1", 200),
        (b"/ex%61mple", 200),
        (b"/example%2Fx", 200),
        (b"/example%zz", 404),
        (b"/example/%zz%", 200),
        (b"/example/%ff%00", 200),
        (b"http://anything:1/example/x?y", 200),
        (b"HTTP://anything/example", 200),
        (b"http://anything", 404),
        (b"http://anything?x=/example", 404),
        (b"anything:80", 404),
        (b"*", 404),
        (b"/", 404),
        (b"/examples", 404),
        (b"/Example", 404),
        (b"//example", 404),
        (b"/x/../example", 404),
        (b"/health", 404),
    ],
)
async def test_7_3_the_path_is_a_prefix_by_segments_and_the_uri_is_as_sent(target: bytes, status: int) -> None:
    port = free_port()
    async with running(chain_plan(port, python_unit("Metas"), endpoint=f"http://127.0.0.1:{port}/example")):
        answer = await raw(port, post_bytes(b"", b"X-Mine: 1", b"Connection: close", target=target))
    assert status_of(answer) == status
    if status == 200:
        assert repr(target.decode()).encode() in body_of(answer)


async def test_7_3_an_endpoint_without_a_path_takes_everything() -> None:
    port = free_port()
    async with running(example_plan(port, path="")):
        answers = [
            await raw(port, post_bytes(b"x", b"Connection: close", target=t))
            for t in (b"/", b"/a//b", b"*", b"/health/")
        ]
        health = await raw(port, b"GET /health HTTP/1.0\r\n\r\n")
    assert [body_of(answer) for answer in answers] == [b"x"] * 4
    assert body_of(health) == b'{"message":"success","status":200}'


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
async def test_7_3_the_four_methods_are_served(method: str) -> None:
    port = free_port()
    async with running(example_plan(port)), httpx.AsyncClient() as client:
        answer = await client.request(method, f"http://127.0.0.1:{port}/example", content=b"x")
    assert (answer.status_code, answer.text) == (200, "x")


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "PATCH", "PROPFIND", "get"])
async def test_7_3_other_methods_are_405_with_allow_and_the_connection_is_kept(method: str) -> None:
    """TRACE and OPTIONS as in ModelBox; the others, for which it leaves the answer to its library, likewise."""
    port = free_port()
    one = method.encode() + b" /example HTTP/1.1\r\nHost: x\r\n\r\n"
    async with running(example_plan(port)):
        answer = await raw(port, one + b"GET /example HTTP/1.0\r\n\r\n")
    assert statuses(answer) == [405, 200]
    assert b"Allow: POST, GET, DELETE, PUT\r\n" in answer


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_7_3_health_is_answered_outside_of_the_flow_where_the_endpoint_has_no_path(method: str) -> None:
    port = free_port()
    async with running(example_plan(port, path="")), httpx.AsyncClient() as client:
        answer = await client.request(method, f"http://127.0.0.1:{port}/health")
        queried = await client.request(method, f"http://127.0.0.1:{port}/health?x", content=b"in")
    assert answer.content == b'{"message":"success","status":200}'
    assert queried.content == (b"in")


async def test_7_3_a_body_that_breaks_off_enters_no_flow_and_takes_no_slot() -> None:
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


async def test_7_3_a_body_that_cannot_be_read_is_400() -> None:
    port = free_port()
    async with running(example_plan(port)):
        answer = await raw(port, b"POST /example HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
    assert status_of(answer) == 400


async def test_7_3_a_failure_inside_is_500_and_takes_no_slot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*args: object) -> None:
        raise RuntimeError("the secret")

    port = free_port()
    async with running(chain_plan(port, max_requests="1")) as flow:
        source = next(node for node in flow._nodes.values() if isinstance(node, SourceNode))
        with monkeypatch.context() as patched:
            patched.setattr(source, "submit", fails)
            answer = await raw(port, post_bytes(b"x", b"Connection: close"))
        again = await raw(port, post_bytes(b"x", b"Connection: close"))
        assert (status_of(answer), status_of(again)) == (500, 200)
    assert b'"error_code":"Internal"' in answer
    assert b"secret" not in answer


async def test_7_3_each_request_is_a_session_of_one_buffer_that_is_closed() -> None:
    port = free_port()
    unit = python_unit("CountsSession", flow_type=FlowType.STREAM, max_batch_size=8, default_batch_size=8)
    units.CountsSession.seen = {}
    async with running(chain_plan(port, unit)) as flow:
        for _ in range(3):
            assert (await post(port, "x")).status_code == 200
        await wait_for_sessions(flow)
    assert sorted(units.CountsSession.seen.values()) == [(1, True)] * 3


async def test_7_3_the_buffer_has_the_metas_size_method_uri_headers_and_endpoint() -> None:
    """`headers` cannot be read from Python in ModelBox."""
    port = free_port()
    async with running(chain_plan(port, python_unit("Metas"))):
        answer = await post(port, "hello", **{"x-mine": "1", "content-type": "text/plain"})
    endpoint = f"http://127.0.0.1:{port}"
    assert answer.text == f"True {[5, 'POST', '/a?b=c', endpoint]} 1"


@pytest.mark.parametrize(
    ("content_type", "body", "seen"),
    [
        ("text/plain", "grün".encode(), "STR:grün".encode()),
        ("text/plain; charset=utf-8", "grün".encode(), "STR:grün".encode()),
        ("text/plain; charset=ISO-8859-1", "grün".encode("latin-1"), "STR:grün".encode()),
        ("application/json;charset=utf-16", "grün".encode("utf-16"), "STR:grün".encode()),
        ("application/x-www-form-urlencoded", b"hello", b"STR:hello"),
        ("application/x-www-form-urlencoded", b"\xff\xfe\x00", b"RAW:\xff\xfe\x00"),
        ("application/octet-stream", b"hello", b"RAW:hello"),
        ("image/png", b"\x89PNG", b"RAW:\x89PNG"),
        ("", b"hello", b"RAW:hello"),
        ("text/plain", b"", b"STR:"),
        ("text/plain; charset=klingon", b"x", b"RAW:x"),
    ],
)
async def test_7_3_text_arrives_as_utf_8_text_and_other_bodies_as_bytes(
    content_type: str, body: bytes, seen: bytes
) -> None:
    """ModelBox makes text of all, drops a body without Content-Type and refuses application/octet-stream."""
    port = free_port()
    async with running(chain_plan(port, python_unit("Kind"))):
        answer = await post(port, body, **({"content-type": content_type} if content_type else {}))
    assert answer.content == seen


@pytest.mark.parametrize(
    ("status", "request_text"),
    [
        (200, b"POST /a HTTP/1.1\r\nContent-Length: 1\r\nConnection: close\r\n\r\n0"),
        (200, b"GET /health HTTP/1.0\r\n\r\n"),
        (400, b"GET /a HTTP/9\r\n\r\n"),
        (405, b"TRACE /a HTTP/1.0\r\n\r\n"),
        (408, b"POST /a HTTP/1.1\r\nContent-Length: 2\r\nConnection: close\r\n\r\n.4"),
        (413, b"POST /a HTTP/1.1\r\nContent-Length: 1001\r\n\r\n"),
        (431, b"GET /a HTTP/1.1\r\nX: " + b"a" * 70_000 + b"\r\n\r\n"),
        (500, b"POST /a HTTP/1.1\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx"),
    ],
)
async def test_7_3_every_answer_has_the_security_headers(status: int, request_text: bytes) -> None:
    port = free_port()
    plan = chain_plan(port, python_unit("Slow", default_batch_size=1), time_out_ms="100")
    async with running(plan, FlowLimits(max_request_bytes=1000)):
        answer = await raw(port, request_text)
    assert status_of(answer) == status
    assert all(header in answer.decode() for header in SECURITY)
