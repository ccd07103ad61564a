"""Spec 4.13: what runs at once. Batches of one normal unit: test_spec_4_5; the watchdog: test_stalls.

Scheduler thread, flow pool and executor pool of ModelBox are one pool here; resource_nice is of C++ units.
"""

import threading

from server.flow.unitapi import DataContext, Status, UnitStatusCode
from tests.flow.run.programs import SUCCESS, Method, line, passes, results, running, sent, texts, unit


def test_4_13_process_runs_on_threads_of_the_flow() -> None:
    threads: set[str] = set()

    def process(context: DataContext) -> UnitStatusCode:
        threads.add(threading.current_thread().name)
        return passes(context)

    assert results(line("a"), [unit("a", process)], "x") == ["x"]
    assert not threads & {"MainThread", "flow-loop"}


def test_4_13_open_of_different_nodes_runs_in_parallel() -> None:
    both = threading.Barrier(2)

    def opened(config: object) -> Status:
        both.wait(5)
        return Status()

    units = [unit("a", passes, opened=opened), unit("b", passes, opened=opened)]
    assert results(line("a", "b"), units, "x") == ["x"]


def test_4_13_different_nodes_work_at_once() -> None:
    second_at_a, first_at_b = threading.Event(), threading.Event()

    def meets(mine: threading.Event, other: threading.Event, text: str) -> Method:
        def process(context: DataContext) -> UnitStatusCode:
            if texts(context) == [text]:
                mine.set()
                assert other.wait(5)
            return passes(context)

        return process

    units = [unit("a", meets(second_at_a, first_at_b, "2")), unit("b", meets(first_at_b, second_at_a, "1"))]
    assert results(line("a", "b"), units, "1", "2") == ["1", "2"]


def test_a_unit_that_hangs_does_not_keep_stop_from_returning() -> None:
    released, entered = threading.Event(), threading.Event()

    def hangs(context: DataContext) -> UnitStatusCode:
        entered.set()
        released.wait(60)
        return SUCCESS

    with running(line("u"), unit("u", hangs)) as flow:
        io = sent(flow, "x")
        assert entered.wait(5)
        assert flow.stop()
        assert io.recv("out", 5000) is None
    released.set()
