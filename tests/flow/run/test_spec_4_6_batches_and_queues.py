"""Spec 4.6: batch sizes, queue sizes, back-pressure. How descriptions and DOT give sizes: graph/test_catalogue and
graph/test_nodes.

How many contexts one run of a node may take is a matter of ModelBox's insides: here runs are calls.
"""

import threading

import pytest

from server.flow.run.inputs import InputNode
from server.flow.sdk import Flow
from server.flow.unitapi import DataContext, FlowUnitEvent, Status, UnitStatusCode
from tests.flow.run.parts import Log, joins
from tests.flow.run.programs import (
    CONTINUE,
    SUCCESS,
    Unit,
    flow_of,
    line,
    passes,
    received,
    results,
    running,
    sent,
    stream_of,
    unit,
)
from tests.flow.run.support import Graph, Run, run


@pytest.mark.parametrize(
    ("normal", "most", "options", "batch"),
    [
        pytest.param(True, {}, "", 8, id="normal-default-8"),
        pytest.param(False, {}, "", 1, id="stream-default-1"),
        pytest.param(True, {}, ", batch_size=16", 16, id="normal-unlimited"),
        pytest.param(False, {}, ", batch_size=16", 1, id="stream-maximum-1"),
        pytest.param(False, {"max_batch_size": 16}, ", batch_size=16", 16, id="stream-that-allows-it"),
        pytest.param(True, {"max_batch_size": 4}, ", batch_size=16", 4, id="normal-clipped"),
        pytest.param(True, {"default_batch_size": 5}, "", 5, id="default-of-the-description"),
        pytest.param(True, {}, ", batch_size=0", 8, id="0-is-the-default"),
    ],
)
def test_4_6_batch_size(normal: bool, most: dict[str, int], options: str, batch: int) -> None:
    log = Log()
    flow = flow_of(line("u", u=options), [unit("u", log.passes, normal=normal, **most)])
    assert flow.build()
    # all of it waits when the flow starts
    io = sent(flow, *(str(number) for number in range(40)))
    assert flow.run_async()
    assert len(received(io)) == 40
    flow.stop()
    assert max(len(call) for call in log.calls) == batch


def input_of(flow: Flow) -> InputNode:
    assert flow._thread is not None
    node = flow._thread._flow._input_node()
    assert node is not None
    return node


def test_4_6_queues_hold_32_and_external_ones_1024() -> None:
    flow = flow_of(line("u", "v", v=", queue_size=5"), [unit("u", passes), unit("v", passes)])
    assert flow.build()
    assert flow._thread is not None
    nodes = flow._thread._flow._nodes
    assert [nodes[name].inputs[0].capacity for name in "uv"] == [32, 5]
    assert input_of(flow).room._capacity == 1024
    flow.stop()


def test_4_6_events_are_kept_however_many() -> None:
    """ModelBox's queue holds 8192. The only one who could wait for room there is the unit that makes it."""
    count = 10_000

    def process(context: DataContext) -> UnitStatusCode:
        if context.event() is not None:
            number = context.get_private_int("seen") + 1
            context.set_private_int("seen", number)
            return CONTINUE if number < count else passes_end(context)
        for _ in range(count):
            context.send_event(FlowUnitEvent())
        context.set_private_int("seen", 0)
        return CONTINUE

    def passes_end(context: DataContext) -> UnitStatusCode:
        out = context.output("out_1")
        assert out is not None
        out.push_back("end")
        return SUCCESS

    assert results(line("u"), [unit("u", process)], "x") == ["end"]


def test_4_6_a_full_queue_holds_back_those_before_it() -> None:
    graph = Graph()
    two = {"queue_size": "2", "batch_size": "1"}
    last = graph.add("Add", graph.add("Src"), options=two)
    last = graph.add("Add", last, options={**two, "slow": "1"})
    graph.add("Sink", last, options=two)
    made = Run(graph.plan(), [["x"] * 30 for _ in range(10)])
    slow = made.nodes["n2_Add"].inputs[0]
    longest = 0
    while not made._is_over.wait(0.001):
        longest = max(longest, slow.queued)
    made.wait()
    assert made.sunk == [["xnn"] * 30] * 10
    # Room is looked for before a call. Each of 16 threads may be in one, and as many more, and two, may wait
    # for the first of them; each may bring an end along. Without back-pressure 310 would come.
    assert longest <= 2 + 2 * (16 + 16 + 2)


def test_4_6_a_port_that_is_ahead_of_the_other_is_held_back() -> None:
    """ModelBox stops to read it at twice the queue size; here it is the queue that is full."""
    released, log = threading.Event(), Log()

    def waits(context: DataContext) -> UnitStatusCode:
        released.wait(5)
        return passes(context)

    units = [unit("ahead", log.passes), unit("behind", waits), unit("join", joins, inputs=("in_1", "in_2"))]
    dot = """in[type=input]; out[type=output]; graph [queue_size=4]; ahead[flowunit=ahead]; behind[flowunit=behind]
        join[flowunit=join]; in -> ahead:in_1; in -> behind:in_1; ahead:out_1 -> join:in_1
        behind:out_1 -> join:in_2; join:out_1 -> out"""
    numbers = [str(number) for number in range(300)]
    with running(dot, *units) as flow:
        io = stream_of(flow)
        for number in numbers:
            io.send("in", number)
        io.close_input()
        assert not threading.Event().wait(0.1)
        assert len(log.calls) < 100
        released.set()
        assert received(io) == [number * 2 for number in numbers]


def test_4_6_queues_of_one_do_not_stop_a_node_that_waits_for_its_other_input() -> None:
    """In ModelBox such a graph waits for itself, for ever."""
    graph = Graph()
    one = {"queue_size": "1"}
    source = graph.add("Src")
    first = graph.add("Add", source, options={**one, "batch_size": "1"})
    held = graph.add("Holds", first, options={**one, "count": "50"}, max_batch_size=1)
    graph.add("Sink", graph.add("Join2", first, held, options=one), options=one)
    done = run(graph.plan(), [str(n) for n in range(50)])
    assert done.sunk == [[f"({n}n|{n}n)" for n in range(50)]]


def stuck(released: threading.Event) -> tuple[str, Unit]:
    def waits(context: DataContext) -> UnitStatusCode:
        released.wait(5)
        return passes(context)

    dot = line("u", u=", queue_size=1").replace("in[type=input]", "in[type=input, queue_size_external=4]")
    return dot, unit("u", waits)


def test_4_6_a_full_external_queue_holds_the_sender_back() -> None:
    released, sent_all = threading.Event(), threading.Event()
    dot, made = stuck(released)
    with running(dot, made) as flow:
        io = stream_of(flow)

        def send() -> None:
            for number in range(100):
                io.send("in", str(number))
            io.close_input()
            sent_all.set()

        sender = threading.Thread(target=send)
        sender.start()
        # far more than unit, queue, the chunk under way and the external queue hold
        assert not sent_all.wait(0.2)
        released.set()
        assert received(io) == [str(number) for number in range(100)]
        sender.join(5)


def test_4_6_stopping_the_flow_releases_a_sender_that_waits_for_room() -> None:
    released, answer = threading.Event(), []
    dot, made = stuck(released)
    with running(dot, made) as flow:
        io = stream_of(flow)

        def send() -> None:
            status = Status()
            while status:
                status = io.send("in", "x")
            answer.append(status.code())

        sender = threading.Thread(target=send)
        sender.start()
        flow.stop()
        sender.join(5)
        released.set()
    assert answer == [UnitStatusCode.STATUS_STOP]
