"""The flow of the API page, end to end: compiled, opened, spoken to over real sockets."""

import httpx
import pytest

from server.flow.flow import FlowLimits
from tests.flow.http.support import body_of, example_plan, free_port, raw, running, status_of


async def test_the_example_answers_what_it_was_sent() -> None:
    port = free_port()
    async with running(example_plan(port)), httpx.AsyncClient() as client:
        answer = await client.post(f"http://127.0.0.1:{port}/example", content=b"hello")
    assert answer.status_code == 200
    assert answer.content == b"hello"
    assert answer.headers["content-type"] == "text/plain;charset=utf-8"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "strict-origin-when-cross-origin"
    assert "content-security-policy" in answer.headers
    assert "set-cookie" not in answer.headers
    assert "user-agent" not in answer.headers


@pytest.mark.parametrize("path", ["/example", "/example/", "/example/x/y", "/example?x=1", "/ex%61mple"])
async def test_the_endpoint_is_a_prefix_by_segment(path: str) -> None:
    port = free_port()
    async with running(example_plan(port)):
        request = f"POST {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi".encode()
        answer = await raw(port, request)
    assert (status_of(answer), body_of(answer)) == (200, b"hi")


@pytest.mark.parametrize("path", ["/", "/examples", "/Example", "//example", "/health", "*"])
async def test_other_paths_are_not_found(path: str) -> None:
    port = free_port()
    async with running(example_plan(port)):
        request = f"GET {path} HTTP/1.1\r\nConnection: close\r\n\r\n".encode()
        answer = await raw(port, request)
    assert status_of(answer) == 404


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
async def test_the_four_methods_are_served(method: str) -> None:
    port = free_port()
    async with running(example_plan(port)), httpx.AsyncClient() as client:
        answer = await client.request(method, f"http://127.0.0.1:{port}/example")
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize("method", ["HEAD", "PATCH", "OPTIONS", "TRACE"])
async def test_other_methods_are_not_allowed(method: str) -> None:
    port = free_port()
    async with running(example_plan(port)), httpx.AsyncClient() as client:
        answer = await client.request(method, f"http://127.0.0.1:{port}/example")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST, GET, DELETE, PUT"


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_health_is_answered_where_the_endpoint_has_no_path(method: str) -> None:
    port = free_port()
    async with running(example_plan(port, path="")), httpx.AsyncClient() as client:
        answer = await client.request(method, f"http://127.0.0.1:{port}/health")
        queried = await client.request(method, f"http://127.0.0.1:{port}/health?x", content=b"in")
    assert answer.content == b'{"message":"success","status":200}'
    assert queried.content == (b"in")


async def test_a_body_of_fifty_megabytes_comes_back() -> None:
    port = free_port()
    body = bytes(range(256)) * (50 * 4096)
    async with running(example_plan(port)), httpx.AsyncClient(timeout=30) as client:
        answer = await client.post(f"http://127.0.0.1:{port}/example", content=body)
    assert answer.content == body


async def test_a_chunked_body_with_expect_is_asked_for() -> None:
    port = free_port()
    head = (
        b"POST /example HTTP/1.1\r\nTransfer-Encoding: chunked\r\n"
        b"Expect: 100-continue\r\nConnection: close\r\n\r\n"
    )
    async with running(example_plan(port)):
        answer = await raw(port, head, b"3\r\nabc\r\n", b"2\r\nde\r\n0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")
    assert answer.endswith(b"\r\n\r\nabcde")


async def test_a_refused_expectation_is_not_continued() -> None:
    port = free_port()
    head = b"POST /other HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
    async with running(example_plan(port)):
        answer = await raw(port, head)
    assert status_of(answer) == 404
    assert b"Connection: close" in answer
    assert b"100 Continue" not in answer


async def test_requests_on_one_connection_are_answered_in_order() -> None:
    port = free_port()
    one = b"POST /example HTTP/1.1\r\nContent-Length: 1\r\n\r\n"
    last = b"POST /example HTTP/1.1\r\nConnection: close\r\nContent-Length: 1\r\n\r\nc"
    async with running(example_plan(port)):
        answer = await raw(port, one + b"a" + one + b"b" + last)
    assert [part[:1] for part in answer.split(b"\r\n\r\n")[1:]] == [b"a", b"b", b"c"]


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_beyond_the_limit_is_refused(chunked: bool) -> None:
    port = free_port()

    async def parts() -> object:
        for _ in range(20):
            yield b"x" * 10_000

    async with (
        running(example_plan(port), FlowLimits(max_request_bytes=100_000)),
        httpx.AsyncClient() as client,
    ):
        content = parts() if chunked else b"x" * 200_000
        answer = await client.post(f"http://127.0.0.1:{port}/example", content=content)  # type: ignore[arg-type]
        again = await client.post(f"http://127.0.0.1:{port}/example", content=b"x" * 100_000)
    assert answer.status_code == 413
    assert len(again.content) == 100_000
