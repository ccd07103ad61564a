"""Requests in flight when a flow stops or ends, and clients that go away."""

import asyncio

import pytest

from server.flow.status import StatusCode
from tests.flow.http import units
from tests.flow.http.support import (
    chain_plan,
    free_port,
    post,
    python_unit,
    running,
    status_of,
    wait_for_requests,
)


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
        assert not flow._front.in_flight
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
