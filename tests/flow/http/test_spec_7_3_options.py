"""Spec 7.3: the options of the receive units. Endpoints: test_spec_7_3_endpoints; TLS: tls/."""

import asyncio
import logging

import httpx
import pytest

from server.flow.http.options import endpoint_text
from server.flow.unitapi import Configuration
from tests.flow.http.support import (
    chain_plan,
    example_plan,
    free_port,
    post,
    python_unit,
    raw,
    running,
    status_of,
    wait_for_requests,
)


def test_7_3_endpoint_has_a_default_and_its_absence_is_warned_about(caplog: pytest.LogCaptureFixture) -> None:
    assert endpoint_text(Configuration({})) == "http://127.0.0.1:8080"
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


async def test_7_3_max_requests_more_at_a_time_are_429() -> None:
    """ModelBox admits one more than the option says."""
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
async def test_7_3_time_out_ms_a_late_reply_is_408_and_is_dropped(option: str) -> None:
    """`time_out`, which ModelBox's own example has and nobody reads there, is another name of it."""
    port = free_port()
    async with running(chain_plan(port, python_unit("Slow"), **{option: "100"}, max_requests="1")):
        answer = await post(port, "0.5")
        assert (answer.status_code, answer.content) == (408, b"")
        await asyncio.sleep(0.6)
        assert (await post(port, "0")).text == "0"


async def test_7_3_keepalive_timeout_sec_an_idle_connection_is_closed() -> None:
    port = free_port()
    async with running(example_plan(port, receive=", keepalive_timeout_sec=1")):
        answer = await raw(port, b"GET /example HTTP/1.1\r\n\r\n")
    assert status_of(answer) == 200


@pytest.mark.parametrize("option", ["max_requests", "time_out_ms", "keepalive_timeout_sec"])
@pytest.mark.parametrize("value", ["abc", "0", "-1", "1.5", "99999999999999999999999"])
async def test_7_3_numbers_that_make_no_sense_give_the_default(option: str, value: str) -> None:
    port = free_port()
    async with running(example_plan(port, receive=f', {option}="{value}"')), httpx.AsyncClient() as http:
        assert (await http.post(f"http://127.0.0.1:{port}/example", content="x")).text == "x"
