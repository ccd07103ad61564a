"""Spec 9, `scheduler.status` of the statistics: initial, running, idle, blocking, shutdown."""

import threading
import time

from server.flow.flow import Flow
from server.flow.statistics import SchedulerStatus
from server.flow.unitapi import DataContext
from tests.flow.run.programs import STOP, Unit, flow_of, line, passes, received, running, sent, texts, unit


def inner(flow: object) -> Flow:
    return flow._thread._flow  # type: ignore[attr-defined, no-any-return]


def wait_for(status: SchedulerStatus, flow: object) -> None:
    deadline = time.monotonic() + 10
    while inner(flow).scheduler_status() is not status:
        assert time.monotonic() < deadline, inner(flow).scheduler_status()
        time.sleep(0.01)


def test_9_initial_before_it_runs_and_shutdown_after_its_stop() -> None:
    flow = flow_of(line("u"), [unit("u", passes)])
    assert flow.build()
    stopped = inner(flow)
    assert stopped.scheduler_status() is SchedulerStatus.INITIAL
    flow.stop()
    assert stopped.scheduler_status() is SchedulerStatus.SHUTDOWN


def test_9_shutdown_when_it_ended_by_itself() -> None:
    with running(line("u"), unit("u", lambda _: STOP)) as flow:
        stream = sent(flow, "x")
        assert flow.wait(10_000)
        assert inner(flow).scheduler_status() is SchedulerStatus.SHUTDOWN
        del stream


def test_9_running_while_there_is_work_and_idle_a_second_after_it() -> None:
    release = threading.Event()

    def waits(context: DataContext) -> object:
        release.wait(10)
        return passes(context)

    with running(line("u"), unit("u", waits)) as flow:
        wait_for(SchedulerStatus.IDLE, flow)
        stream = sent(flow, "x")
        wait_for(SchedulerStatus.RUNNING, flow)
        release.set()
        assert received(stream) == ["x"]
        assert inner(flow).scheduler_status() is SchedulerStatus.RUNNING


def waits_with_x(release: threading.Event) -> Unit:
    def waits(context: DataContext) -> object:
        if texts(context) == ["x"]:
            release.wait(10)
        return passes(context)

    return unit("u", waits)


def test_9_blocking_when_nobody_who_has_work_makes_progress() -> None:
    release = threading.Event()
    with running(line("u"), waits_with_x(release), settings={"graph.stall-seconds": "0.2"}) as flow:
        stuck = sent(flow, "x")
        wait_for(SchedulerStatus.BLOCKING, flow)
        release.set()
        assert received(stuck) == ["x"]
        assert inner(flow).scheduler_status() is SchedulerStatus.RUNNING


def test_9_not_blocking_while_others_make_progress() -> None:
    release = threading.Event()
    with running(line("u"), waits_with_x(release), settings={"graph.stall-seconds": "0.5"}) as flow:
        stuck = sent(flow, "x")
        began = time.monotonic()
        while time.monotonic() < began + 1.2:
            assert received(sent(flow, "another session")) == ["another session"]
            assert inner(flow).scheduler_status() is SchedulerStatus.RUNNING
        release.set()
        assert received(stuck) == ["x"]
