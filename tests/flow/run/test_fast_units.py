"""Units whose calls have been fast get no second thread, until one of their calls is not."""

import threading
import time

from server.flow.unitapi import DataContext, UnitStatusCode
from tests.flow.run.programs import line, passes, received, running, sent, texts, unit


def test_a_unit_that_was_fast_and_waits_for_another_session_does_not_hold_it_up() -> None:
    released = threading.Event()

    def meets(context: DataContext) -> UnitStatusCode:
        if texts(context) == ["wait"]:
            assert released.wait(5)
        elif texts(context) == ["release"]:
            released.set()
        return passes(context)

    with running(line("u"), unit("u", meets)) as flow:
        for _ in range(30):
            assert received(sent(flow, "fast")) == ["fast"]
        assert flow._thread is not None
        node = flow._thread._flow._nodes["u"]
        assert node.is_fast
        waits, releases = sent(flow, "wait"), sent(flow, "release")
        assert received(releases) == ["release"]
        assert received(waits) == ["wait"]


def test_many_fast_units_that_all_wait_at_once() -> None:
    everybody = threading.Barrier(5)

    def meets(context: DataContext) -> UnitStatusCode:
        if texts(context) == ["meet"]:
            everybody.wait(5)
        return passes(context)

    with running(line("u"), unit("u", meets)) as flow:
        for _ in range(30):
            assert received(sent(flow, "fast")) == ["fast"]
        sessions = [sent(flow, "meet") for _ in range(5)]
        assert [received(io) for io in sessions] == [["meet"]] * 5


def test_a_unit_that_waits_a_little_is_not_fast_and_its_calls_overlap() -> None:
    together, most = 0, 0
    lock = threading.Lock()

    def waits(context: DataContext) -> UnitStatusCode:
        nonlocal together, most
        with lock:
            together += 1
            most = max(most, together)
        time.sleep(0.002)
        with lock:
            together -= 1
        return passes(context)

    with running(line("u"), unit("u", waits)) as flow:
        sessions = [sent(flow, *"abcdef") for _ in range(10)]
        assert [received(io) for io in sessions] == [[*"abcdef"]] * 10
        assert flow._thread is not None
        assert not flow._thread._flow._nodes["u"].is_fast
    assert most > 1


def test_a_quiet_flow_rests() -> None:
    with running(line("u"), unit("u", passes)) as flow:
        for _ in range(30):
            received(sent(flow, "fast"))
        assert flow._thread is not None
        scheduler = flow._thread._flow._scheduler
        while not scheduler._watch_rests:
            time.sleep(0.005)
        assert received(sent(flow, "again")) == ["again"]
