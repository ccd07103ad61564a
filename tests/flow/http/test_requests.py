"""Requests of every shape: what RFC 9112 allows works, what it forbids is refused, nothing is smuggled."""

import asyncio

import httpx
import pytest

from server.flow.flow import FlowLimits
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

SMALL = FlowLimits(max_request_bytes=1000, max_header_bytes=2000, request_seconds=5)


def post(body: bytes, *headers: bytes, target: bytes = b"/example", version: bytes = b"1.1") -> bytes:
    lines = [b"POST " + target + b" HTTP/" + version, b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def statuses(answer: bytes) -> list[int]:
    return [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
async def test_the_four_methods_are_served(method: str) -> None:
    port = free_port()
    async with running(example_plan(port)), httpx.AsyncClient() as client:
        answer = await client.request(method, f"http://127.0.0.1:{port}/example", content=b"x")
    assert (answer.status_code, answer.text) == (200, "x")


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "PATCH", "PROPFIND", "get"])
async def test_other_methods_are_405_with_allow_and_the_connection_is_kept(method: str) -> None:
    port = free_port()
    one = method.encode() + b" /example HTTP/1.1\r\nHost: x\r\n\r\n"
    async with running(example_plan(port)):
        answer = await raw(port, one + b"GET /example HTTP/1.0\r\n\r\n")
    assert statuses(answer) == [405, 200]
    assert b"Allow: POST, GET, DELETE, PUT\r\n" in answer


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
async def test_the_path_is_a_prefix_by_segments_and_the_uri_is_as_sent(target: bytes, status: int) -> None:
    port = free_port()
    async with running(chain_plan(port, python_unit("Metas"), endpoint=f"http://127.0.0.1:{port}/example")):
        answer = await raw(port, post(b"", b"X-Mine: 1", b"Connection: close", target=target))
    assert status_of(answer) == status
    if status == 200:
        assert repr(target.decode()).encode() in body_of(answer)


async def test_an_endpoint_without_a_path_takes_everything_but_health() -> None:
    port = free_port()
    async with running(example_plan(port, path="")):
        answers = [
            await raw(port, post(b"x", b"Connection: close", target=t))
            for t in (b"/", b"/a//b", b"*", b"/health/")
        ]
        health = await raw(port, b"GET /health HTTP/1.0\r\n\r\n")
    assert [body_of(answer) for answer in answers] == [b"x"] * 4
    assert body_of(health) == b'{"message":"success","status":200}'


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
    request = post(body, b"Connection: close")
    if is_chunked:
        head = b"POST /example HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        request = head + b"%x\r\n%b\r\n0\r\n\r\n" % (size, body)
    async with running(example_plan(port), SMALL):
        assert statuses(await raw(port, request)) == [200 if size == 1000 else 413]


@pytest.mark.parametrize(("size", "status"), [(1800, 200), (2100, 431), (100_000, 431)])
async def test_a_head_may_have_max_header_bytes(size: int, status: int) -> None:
    port = free_port()
    async with running(example_plan(port), SMALL):
        assert statuses(await raw(port, post(b"", b"Connection: close", b"X: " + b"a" * size))) == [status]


async def test_a_larger_max_header_bytes_is_heeded() -> None:
    port = free_port()
    async with running(example_plan(port), FlowLimits(max_header_bytes=300_000)):
        assert statuses(await raw(port, post(b"", b"Connection: close", b"X: " + b"a" * 200_000))) == [200]


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
