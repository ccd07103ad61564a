"""Requests of every shape: what RFC 9112 allows works, what it forbids is refused, nothing is smuggled."""

import asyncio

import httpx
import pytest

from server.flow.flow import FlowLimits
from tests.flow.http.support import (
    example_plan,
    free_port,
    post_bytes,
    raw,
    running,
    status_of,
    statuses,
)

SMALL = FlowLimits(max_request_bytes=1000, max_header_bytes=2000, request_seconds=5)


@pytest.mark.parametrize(("length", "target", "status"), [(1001, b"/example", 413), (2, b"/other", 404)])
async def test_expect_100_continue_is_refused_before_the_body(length: int, target: bytes, status: int) -> None:
    port = free_port()
    head = b"POST " + target + b" HTTP/1.1\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n" % length
    async with running(example_plan(port), SMALL):
        assert statuses(await raw(port, head)) == [status]


@pytest.mark.parametrize("name", [b"chunked", b"Chunked", b"CHUNKED "])
async def test_chunked_bodies_are_joined_and_the_connection_is_kept(name: bytes) -> None:
    port = free_port()
    head = b"POST /example HTTP/1.1\r\nTransfer-Encoding: " + name + b"\r\n\r\n"
    async with running(example_plan(port)):
        answer = await raw(
            port, head, b"3\r\nabc\r\n", b"A;ext=1\r\n0123456789\r\n0\r\n\r\n", b"GET /example HTTP/1.0\r\n\r\n"
        )
    assert statuses(answer) == [200, 200]
    assert b"\r\n\r\nabc0123456789HTTP/1.1" in answer


@pytest.mark.parametrize(
    "body",
    [
        b"1\r\na\r\n0\r\nX-Trailer: 1\r\n\r\n",
        b"1\r\na\r\n0\r\nGET /example HTTP/1.1\r\n\r\n",
        b"-1\r\na\r\n0\r\n\r\n",
        b"1_0\r\na\r\n0\r\n\r\n",
        b"1" * 70,
    ],
)
async def test_trailers_and_bad_chunks_are_400_and_the_connection_ends(body: bytes) -> None:
    # trailers: nobody could read them, and what follows a body must not be taken for a request
    port = free_port()
    head = b"POST /example HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with running(example_plan(port)):
        assert statuses(await raw(port, head + body + b"GET /example HTTP/1.1\r\n\r\n")) == [400]


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length : 5",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked",
        b"Content-Length: 5\r\nContent-Length: 5",
        b"Content-Length: +5",
        b"Content-Length: 5,5",
        b"Transfer-Encoding: gzip, chunked",
        b"Transfer-Encoding: identity",
        b"X: a\r\n folded",
        b"X: a\nContent-Length: 5",
        b"X: a\0b",
        b": no name",
        b"X\tY: a",
    ],
)
async def test_what_parsers_disagree_about_is_400_and_the_connection_ends(head: bytes) -> None:
    port = free_port()
    async with running(example_plan(port)):
        answer = await raw(
            port, b"POST /example HTTP/1.1\r\n" + head + b"\r\n\r\nhelloGET /example HTTP/1.1\r\n\r\n"
        )
    assert statuses(answer) == [400]


@pytest.mark.parametrize("size", [1000, 1001])
@pytest.mark.parametrize("is_chunked", [False, True])
async def test_a_body_may_have_max_request_bytes_and_413_is_readable(size: int, is_chunked: bool) -> None:
    port = free_port()
    body = b"a" * size
    request = post_bytes(body, b"Connection: close")
    if is_chunked:
        head = b"POST /example HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        request = head + b"%x\r\n%b\r\n0\r\n\r\n" % (size, body)
    async with running(example_plan(port), SMALL):
        assert statuses(await raw(port, request)) == [200 if size == 1000 else 413]


@pytest.mark.parametrize(("size", "status"), [(1800, 200), (2100, 431), (100_000, 431)])
async def test_a_head_may_have_max_header_bytes(size: int, status: int) -> None:
    port = free_port()
    async with running(example_plan(port), SMALL):
        assert statuses(await raw(port, post_bytes(b"", b"Connection: close", b"X: " + b"a" * size))) == [status]


async def test_a_larger_max_header_bytes_is_heeded() -> None:
    port = free_port()
    async with running(example_plan(port), FlowLimits(max_header_bytes=300_000)):
        assert statuses(await raw(port, post_bytes(b"", b"Connection: close", b"X: " + b"a" * 200_000))) == [200]


async def test_a_head_that_trickles_in_is_given_up_and_holds_up_nobody() -> None:
    port = free_port()
    limits = FlowLimits(request_seconds=0.5)
    async with running(example_plan(port, receive=", max_requests=1"), limits), httpx.AsyncClient() as client:
        slow = [asyncio.create_task(trickle(port)) for _ in range(20)]
        for _ in range(5):
            assert (await client.get(f"http://127.0.0.1:{port}/example")).status_code == 200
        answers = await asyncio.wait_for(asyncio.gather(*slow), 10)
    assert {status_of(answer) for answer in answers} == {408}


async def trickle(port: int) -> bytes:
    """Sends a head that has no end, byte by byte, until it is answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = asyncio.create_task(reader.read())
    writer.write(b"GET /example HTTP/1.1\r\nX: ")
    while not answer.done():
        writer.write(b"a")
        await asyncio.sleep(0.05)
    writer.close()
    return await answer


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00\xff\xfe\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /example SPDY/3\r\n\r\n",
        b"GET /example HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET /\xc3\xbc HTTP/1.1\r\n\r\n",
        b"POST /example HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        b"POST /example HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /example HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /example HTTP/1.1\r\nExpect: magic\r\nContent-Length: 1\r\n\r\n",
        b"GET /example HTTP/1.1\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
    ],
)
async def test_garbage_gets_a_4xx_without_details(garbage: bytes) -> None:
    port = free_port()
    async with running(example_plan(port)):
        answer = await raw(port, garbage)
    assert 400 <= status_of(answer) < 500
    assert b"Traceback" not in answer
