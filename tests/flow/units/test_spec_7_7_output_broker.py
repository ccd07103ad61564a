"""Spec 7.7, output_broker with its webhook."""

import asyncio
import json
import threading
from collections.abc import Callable

import pytest

from server.flow.status import StatusCode
from server.flow.unitapi import (
    Configuration,
    DataContext,
    Device,
    FlowUnitEvent,
    SessionContext,
    Status,
    UnitStatusCode,
)
from server.flow.units.broker_sender import QueuedSender, RetryPolicy
from server.flow.units.output_broker import OutputBroker
from server.flow.units.webhook import Webhook
from tests.flow.http.support import free_port
from tests.flow.units.receiver import receiver
from tests.flow.units.support import buffer, opened, refusal_of, run_unit, until_through

FAST = {"retry_interval_base_ms": "1", "retry_interval_increment_ms": "1"}
NO_WAIT = RetryPolicy(count_limit=0, interval_base=0, interval_increment=0, interval_limit=0)


def brokers(**urls: str) -> dict[str, str]:
    """The session configuration that names a webhook for each URL."""
    listed = [
        {"type": "webhook", "name": name, "cfg": json.dumps({"url": url, "headers": {"X-Mine": name}})}
        for name, url in urls.items()
    ]
    return {"nodes.config": json.dumps({"brokers": listed})}


@pytest.mark.parametrize("mode", ["sync", "async"])
async def test_7_7_each_buffer_is_posted_with_the_headers_of_the_broker(mode: str) -> None:
    with receiver() as hook:
        sent = [buffer("one"), buffer(b"\xff\x00")]
        await run_unit("output_broker", {"mode": mode}, sent, config=brokers(a=f"{hook.url}/x?y=1"))
    assert hook.bodies == [b"one", b"\xff\x00"]
    assert {(got.method, got.path, got.headers["x-mine"]) for got in hook.got} == {("POST", "/x?y=1", "a")}


async def test_7_7_the_meta_output_broker_names_chooses() -> None:
    with receiver() as a, receiver() as b:
        names = ["", "a", "a|b", "nobody|b"]
        sent = [buffer(str(number), output_broker_names=name) for number, name in enumerate(names)]
        await run_unit("output_broker", {}, sent, config=brokers(a=a.url, b=b.url))
    assert a.bodies == [b"0", b"1", b"2"]
    assert b.bodies == [b"0", b"2", b"3"]


async def test_7_7_by_default_a_refused_buffer_is_dropped_and_the_flow_goes_on() -> None:
    with receiver() as hook:
        hook.statuses = [500]
        await run_unit("output_broker", FAST, [buffer("a"), buffer("b")], config=brokers(a=hook.url))
    assert hook.bodies == [b"a", b"b"]


@pytest.mark.parametrize("mode", ["sync", "async"])
@pytest.mark.parametrize(("limit", "tries"), [("2", 3), ("5", 4), ("-1", 4)])
async def test_7_7_another_status_than_2xx_is_retried_up_to_the_limit(mode: str, limit: str, tries: int) -> None:
    options = {**FAST, "mode": mode, "retry_count_limit": limit}
    with receiver() as hook:
        hook.statuses = [500, 404, 302]
        await run_unit("output_broker", options, [buffer("a")], config=brokers(a=hook.url))
    assert hook.bodies == [b"a"] * tries


async def test_7_7_a_receiver_that_is_away_for_a_while_gets_everything_in_order() -> None:
    """ModelBox gives up when the receiver cannot be reached, but its restart is what retries are to bridge."""
    port = free_port()
    options = {
        "mode": "async",
        "retry_count_limit": "-1",
        "retry_interval_base_ms": "20",
        "retry_interval_limit_ms": "20",
    }
    sent = [buffer(str(number)) for number in range(5)]
    async with opened("output_broker", options, sent, config=brokers(a=f"http://127.0.0.1:{port}")) as (flow, _):
        await until_through(flow)
        with receiver(port) as hook:
            await until(lambda: len(hook.got) == 5)
    assert hook.bodies == [b"0", b"1", b"2", b"3", b"4"]


async def test_7_7_a_full_queue_drops_its_oldest_and_holds_up_nobody() -> None:
    with receiver() as hook:
        hook.gate.clear()
        options = {"mode": "async", "queue_size": "2"}
        sent = [buffer(str(number)) for number in range(6)]
        async with opened("output_broker", options, sent, config=brokers(a=hook.url)) as (flow, _):
            await until_through(flow)
            hook.gate.set()
            await until(lambda: hook.bodies[-1:] == [b"5"])
    # the first may have been on its way already
    assert hook.bodies[-2:] == [b"4", b"5"]
    assert len(hook.bodies) <= 3


async def test_7_7_sessions_share_the_queue_and_the_thread_of_a_webhook() -> None:
    with receiver() as hook:
        hook.gate.clear()
        sessions = [[buffer(str(number))] for number in range(20)]
        async with opened("output_broker", {"mode": "async"}, *sessions, config=brokers(a=hook.url)) as (flow, _):
            await until_through(flow)
            threads = [each for each in threading.enumerate() if each.name == "output-broker"]
            hook.gate.set()
            await until(lambda: len(hook.got) == 20)
    assert len(threads) == 1
    assert sorted(hook.bodies) == sorted(str(number).encode() for number in range(20))


async def test_7_7_stop_sends_what_is_queued() -> None:
    with receiver() as hook:
        hook.gate.clear()
        sent = [buffer(str(number)) for number in range(10)]
        async with opened("output_broker", {"mode": "async"}, sent, config=brokers(a=hook.url)) as (flow, _):
            await until_through(flow)
            hook.gate.set()
        assert len(hook.got) == 10


async def test_7_7_stop_does_not_wait_for_endless_retries() -> None:
    config = brokers(a=f"http://127.0.0.1:{free_port()}")
    options = {"retry_count_limit": "-1", "retry_interval_base_ms": "60000"}
    async with opened("output_broker", options, [buffer("x")], config=config) as (flow, _):
        await asyncio.wait_for(flow.stop(0), 10)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({}, "it is missing"),
        ({"nodes.config": "{"}, "no JSON"),
        ({"nodes.config": "[]"}, "no list 'brokers'"),
        ({"nodes.config": '{"brokers":[]}'}, "no list 'brokers'"),
        ({"nodes.config": '{"brokers":[{"type":"webhook","name":"a"}]}'}, "type, name and cfg"),
        ({"nodes.config": '{"brokers":[{"type":"obs","name":"a","cfg":"{}"}]}'}, "type 'obs' is unknown"),
        ({"nodes.config": '{"brokers":[{"type":"webhook","name":"a","cfg":"x"}]}'}, "no JSON"),
        ({"nodes.config": '{"brokers":[{"type":"webhook","name":"a","cfg":"{}"}]}'}, "member url"),
        (
            {
                "nodes.config": json.dumps(
                    {"brokers": [{"type": "webhook", "name": "a", "cfg": '{"url":"http://h"}'}]}
                )
            },
            "member headers",
        ),
        (brokers(a="ftp://x"), "is no URL"),
    ],
)
def test_7_7_a_bad_configuration_is_an_error_of_data_pre(config: dict[str, str], words: str) -> None:
    status = make_unit().data_pre(make_context(config))
    assert isinstance(status, Status)
    assert status.code() == int(StatusCode.BADCONF)
    assert words in status.errormsg()


async def test_7_7_an_unknown_mode_is_refused() -> None:
    error = await refusal_of("output_broker", {"mode": "later"})
    assert error.code is StatusCode.BADCONF
    assert "mode 'later'" in error.messages[-1]


@pytest.mark.parametrize("key", ["config", "nodes.config", "flowunit.output_broker.config", "node.unit.config"])
def test_7_7_the_configuration_is_found_for_all_nodes_the_unit_or_the_node(key: str) -> None:
    config = {key: brokers(a="http://h")["nodes.config"]}
    assert make_unit().data_pre(make_context(config)) is UnitStatusCode.STATUS_SUCCESS


def test_7_7_waits_grow_by_the_increment_up_to_the_limit() -> None:
    policy = RetryPolicy(count_limit=-1, interval_base=100, interval_increment=50, interval_limit=220)
    assert [policy.wait_seconds(retries) for retries in range(5)] == [0.1, 0.15, 0.2, 0.22, 0.22]


def test_7_7_a_sender_that_was_closed_takes_nothing_more() -> None:
    with receiver() as hook:
        sender = QueuedSender(Webhook(hook.url), NO_WAIT, 10)
        sender.put(b"a")
        sender.close(5)
        sender.put(b"b")
        assert sender.is_idle
    assert hook.bodies == [b"a"]


def make_unit() -> OutputBroker:
    unit = OutputBroker()
    unit.open(Configuration({}))
    return unit


def make_context(config: dict[str, str]) -> DataContext:
    session = SessionContext()
    for key, value in config.items():
        session.get_session_config().set(key, value)
    return DataContext(session, _Owner(), Device(), ())


class _Owner:
    node_name = "unit"
    unit_name = "output_broker"

    def post_event(self, event: FlowUnitEvent) -> None:
        """No events here."""


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come to that")
