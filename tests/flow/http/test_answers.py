"""What clients get, whatever units do with their request."""

import asyncio

import httpx
import pytest

from server.flow.description import FlowType
from server.flow.flow import Flow
from server.flow.status import StatusCode
from tests.flow.http import units
from tests.flow.http.support import chain_plan, example_plan, free_port, python_unit, raw, running, status_of


async def post(port: int, body: str | bytes = b"", **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(timeout=20) as client:
        return await client.post(f"http://127.0.0.1:{port}/a?b=c", content=body, headers=headers)


async def test_the_request_buffer_carries_the_metas_of_the_spec() -> None:
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
async def test_text_arrives_as_utf8_text_and_other_bodies_as_bytes(
    content_type: str, body: bytes, seen: bytes
) -> None:
    port = free_port()
    async with running(chain_plan(port, python_unit("Kind"))):
        answer = await post(port, body, **({"content-type": content_type} if content_type else {}))
    assert answer.content == seen


@pytest.mark.parametrize(
    ("unit", "code", "message"),
    [
        ("Raises", "Raises.ProcessError", "ValueError: cannot take hi"),
        ("ReturnsError", "ReturnsError.ProcessError", "nothing in it"),
        ("SetsError", "Mine.Bad", "wrong key"),
    ],
)
async def test_a_unit_error_is_a_500_at_once_and_frees_the_slot(unit: str, code: str, message: str) -> None:
    port = free_port()
    async with running(chain_plan(port, python_unit(unit), max_requests="1")):
        for _ in range(3):
            answer = await asyncio.wait_for(post(port, "hi", **{"content-type": "text/plain"}), 3)
            assert answer.status_code == 500
            assert answer.json() == {"error_code": code, "error_msg": message}


async def test_a_session_without_a_reply_is_answered_at_once() -> None:
    port = free_port()
    unit = python_unit("Drops", flow_type=FlowType.STREAM, default_batch_size=1, max_batch_size=1)
    async with running(chain_plan(port, unit)):
        answer = await asyncio.wait_for(post(port, "hi"), 3)
    assert answer.status_code == 500
    assert answer.json()["error_code"] == "NoReply"


async def test_metas_of_the_reply_give_status_and_headers() -> None:
    port = free_port()
    async with running(chain_plan(port, python_unit("Status418"))):
        answer = await post(port, "hi")
    assert (answer.status_code, answer.text) == (418, "hi")
    assert answer.headers["x-tea"] == "green"
    assert answer.headers["content-type"] == "text/tea"
    assert "set-cookie" not in answer.headers


async def test_a_stream_unit_answers_after_its_events() -> None:
    port = free_port()
    unit = python_unit("Counts", flow_type=FlowType.STREAM, default_batch_size=1, max_batch_size=1)
    async with running(chain_plan(port, unit)):
        answers = await asyncio.gather(*(post(port, "go") for _ in range(20)))
    assert {answer.text for answer in answers} == {"counted down"}


async def test_too_many_requests_are_refused_at_once() -> None:
    port = free_port()
    async with running(chain_plan(port, python_unit("Slow"), max_requests="2")) as flow:
        first = [asyncio.create_task(post(port, "0.6")) for _ in range(2)]
        await wait_for_requests(flow, 2)
        refused = await post(port, "0")
        assert [answer.status_code for answer in await asyncio.gather(*first)] == [200, 200]
        again = await post(port, "0")
    assert (refused.status_code, refused.content) == (429, b"")
    assert again.status_code == 200


@pytest.mark.parametrize("option", ["time_out_ms", "time_out"])
async def test_a_late_reply_is_a_408_and_is_dropped(option: str) -> None:
    port = free_port()
    async with running(chain_plan(port, python_unit("Slow"), **{option: "100"}, max_requests="1")):
        answer = await post(port, "0.5")
        assert (answer.status_code, answer.content) == (408, b"")
        await asyncio.sleep(0.6)
        assert (await post(port, "0")).text == "0"


async def test_a_stream_kept_open_ends_with_its_request() -> None:
    port = free_port()
    unit = python_unit("Continues", flow_type=FlowType.STREAM, default_batch_size=1, max_batch_size=1)
    async with running(chain_plan(port, unit, time_out_ms="50")) as flow:
        assert (await post(port, "x")).status_code == 408
        for _ in range(100):
            if not flow._nodes["rx"].sessions:  # type: ignore[attr-defined]
                break
            await asyncio.sleep(0.01)
        assert flow._nodes["rx"].sessions == 0  # type: ignore[attr-defined]


async def test_bad_option_values_mean_the_defaults() -> None:
    port = free_port()
    async with running(example_plan(port, receive=', max_requests=abc, time_out_ms="-1"')):
        assert (await raw(port, b"GET /example HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.1 200 ")


async def test_a_unit_that_returns_no_status_ends_the_flow() -> None:
    port = free_port()
    async with running(chain_plan(port, python_unit("ReturnsNone"))) as flow:
        task = asyncio.create_task(post(port, "x"))
        end = await asyncio.wait_for(flow.ended(), 3)
        assert end.code is StatusCode.STOP
        assert "u0" in end.message
        assert "None" in end.message
        await flow.stop(0)
        assert (await task).status_code == 503


async def test_stop_lets_requests_finish() -> None:
    port = free_port()
    async with running(chain_plan(port, python_unit("Slow"))) as flow:
        task = asyncio.create_task(post(port, "0.3"))
        await wait_for_requests(flow, 1)
        await flow.stop(5)
        answer = await task
    assert (answer.status_code, answer.text) == (200, "0.3")
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_stop_answers_503_after_the_grace_and_does_not_wait_for_a_hanging_unit() -> None:
    port = free_port()
    units.Hangs.gate.clear()
    async with running(chain_plan(port, python_unit("Hangs"))) as flow:
        task = asyncio.create_task(post(port, "x"))
        await wait_for_requests(flow, 1)
        await asyncio.wait_for(flow.stop(0.2), 10)
        assert (await task).status_code == 503
    units.Hangs.gate.set()


async def test_one_slow_request_does_not_hold_up_others() -> None:
    port = free_port()
    units.Hangs.gate.clear()
    async with running(chain_plan(port, python_unit("HangsOnWait", default_batch_size=1))) as flow:
        slow = asyncio.create_task(post(port, "wait"))
        await wait_for_requests(flow, 1)
        for _ in range(3):
            assert (await post(port, "go")).text == "go"
        assert not slow.done()
        units.Hangs.gate.set()
        assert (await slow).text == "wait"


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


async def test_clients_that_go_away_leave_nothing_behind() -> None:
    port = free_port()
    async with running(chain_plan(port, python_unit("Slow", default_batch_size=1))) as flow:
        for part in (
            b"",
            b"POST /",
            b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n",
            b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n0.1",
        ):
            for _ in range(5):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(part)
                await writer.drain()
                writer.transport.abort()
        await asyncio.sleep(0.5)
        assert flow._front is not None
        assert not flow._front._connections
        assert not flow._front._pending
        assert flow._nodes["rx"].sessions == 0  # type: ignore[attr-defined]
        assert (await post(port, "0")).text == "0"


async def test_a_client_that_closed_its_sending_side_gets_its_answer() -> None:
    port = free_port()
    async with running(chain_plan(port, python_unit("Slow"))):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n0.1")
        await asyncio.sleep(0.03)
        writer.write_eof()
        answer = await asyncio.wait_for(reader.read(), 5)
        writer.close()
    assert status_of(answer) == 200


async def wait_for_requests(flow: Flow, count: int) -> None:
    assert flow._front is not None
    for _ in range(300):
        if len(flow._front._pending) == count:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{len(flow._front._pending)} requests are in flight, not {count}")
