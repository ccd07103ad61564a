"""Nodes without progress are named with what their threads do; counters."""

import asyncio
import logging
import threading
from time import monotonic

import pytest

from server.flow.counters import Stall
from server.flow.stalls import StallWatch
from server.flow.unitapi import DataContext, UnitStatusCode
from tests.flow.run.programs import line, passes, received, running, sent, unit


def test_a_node_that_hangs_is_named_with_its_stack(caplog: pytest.LogCaptureFixture) -> None:
    released, entered = threading.Event(), threading.Event()

    def hangs_here(context: DataContext) -> UnitStatusCode:
        entered.set()
        released.wait(10)
        return passes(context)

    settings = {"graph.stall-seconds": "0.2"}
    with running(
        line("first", "stuck"), unit("first", passes), unit("stuck", hangs_here), settings=settings
    ) as flow:
        io = sent(flow, *(str(number) for number in range(200)))
        assert entered.wait(5)
        assert flow._thread is not None
        inner = flow._thread._flow
        with caplog.at_level(logging.WARNING, "server.flow"):
            while not (stalls := inner.stalls()):
                threading.Event().wait(0.02)
            while len(stalls) < 2:
                threading.Event().wait(0.02)
                stalls = inner.stalls()
        by_node = {stall.node: stall for stall in stalls}
        assert by_node["stuck"].reason == "its unit has not returned"
        assert "hangs_here" in by_node["stuck"].stacks[0]
        assert by_node["first"].reason == "it waits for room at node 'stuck'"
        told = [record.getMessage() for record in caplog.records if "'stuck' (stuck)" in record.getMessage()]
        assert len(told) == 1
        assert "hangs_here" in told[0]
        released.set()
        assert len(received(io)) == 200
        assert inner.stalls() == ()


def test_a_quiet_flow_and_a_unit_that_works_are_no_stalls() -> None:
    with running(line("u"), unit("u", passes), settings={"graph.stall-seconds": "0.01"}) as flow:
        assert flow._thread is not None
        for _ in range(20):
            assert received(sent(flow, "a")) == ["a"]
            threading.Event().wait(0.005)
            assert flow._thread._flow.stalls() == ()


def test_a_quiet_flow_sleeps_and_is_looked_at_again_once_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[float] = []
    look = StallWatch.look

    def counted(self: StallWatch) -> tuple[Stall, ...]:
        looks.append(monotonic())
        return look(self)

    monkeypatch.setattr(StallWatch, "look", counted)
    released = threading.Event()

    def waits(context: DataContext) -> UnitStatusCode:
        released.wait(10)
        return passes(context)

    with running(line("u"), unit("u", waits), settings={"graph.stall-seconds": "0.06"}) as flow:
        assert flow._thread is not None
        threading.Event().wait(0.5)
        before = len(looks)
        threading.Event().wait(0.3)
        assert len(looks) == before
        io = sent(flow, "a")
        told = asyncio.run_coroutine_threadsafe(flow._thread._flow.next_stalls(), flow._thread._loop)
        assert [stall.node for stall in told.result(10)] == ["u"]
        released.set()
        assert received(io) == ["a"]


def test_counters_of_each_node_and_port() -> None:
    def fails_on_b(context: DataContext) -> UnitStatusCode:
        passes(context)
        return (
            UnitStatusCode.STATUS_FAULT if str(context.input("in_1")[0]) == "b" else UnitStatusCode.STATUS_SUCCESS
        )  # type: ignore[index]

    with running(line("u"), unit("u", fails_on_b)) as flow:
        assert received(sent(flow, *"abc")) == ["a", "!u.ProcessError", "c"]
        assert flow._thread is not None
        counters = {each.node: each for each in flow._thread._flow.counters()}
        node = counters["u"]
        assert (node.unit, node.calls, node.errors) == ("u", 3, 1)
        assert [(port.name, port.buffers, port.queued) for port in node.inputs] == [("in_1", 3, 0)]
        assert [(port.name, port.buffers) for port in node.outputs] == [("out_1", 3)]
        assert node.last_activity > 0
        assert node.durations is not None
        assert (node.durations.count, node.durations.seconds) == (3, node.seconds)
        assert counters["in"].outputs[0].buffers == 3
        assert counters["out"].inputs[0].buffers == 3
