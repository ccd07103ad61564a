"""Spec 4.4: a test for each row of the table, then the constraints. What descriptions set: graph/test_catalogue.

The defaults for a flow type that was never set are of C++ units: descriptions of Python units always set it.
"""

import threading
import time

import pytest

from server.flow.description import ConditionType, FlowType, UnitDescription
from server.flow.unitapi import DataContext, UnitStatusCode
from tests.flow.run.parts import CHOICE, Log, condition, glue, joins, letters, loop_flow, split
from tests.flow.run.programs import (
    COLLAPSE,
    EXPAND,
    SUCCESS,
    ending_of,
    line,
    passes,
    push,
    received,
    results,
    running,
    sent,
    texts,
    unit,
)

NUMBERS = [str(number) for number in range(60)]


def slow(context: DataContext) -> UnitStatusCode:
    time.sleep(int(texts(context)[0]) % 3 / 1000)
    return passes(context)


def test_4_4_normal_order_and_identity_of_streams_are_restored() -> None:
    with running(line("slow", "see"), unit("slow", slow, normal=True, batch=3), unit("see", passes)) as flow:
        sessions = [sent(flow, *NUMBERS), sent(flow, "7"), sent(flow)]
        assert [received(io) for io in sessions] == [NUMBERS, ["7"], []]


def test_4_4_stream_calls_of_one_stream_follow_each_other_and_streams_overlap() -> None:
    busy: set[str] = set()
    both = threading.Barrier(2)

    def process(context: DataContext) -> UnitStatusCode:
        session = context.get_session_context().get_session_id()
        assert session not in busy
        busy.add(session)
        if texts(context) == ["meet"]:
            both.wait(5)
        time.sleep(0.001)
        busy.remove(session)
        return passes(context)

    with running(line("u"), unit("u", process)) as flow:
        sessions = [sent(flow, "meet", *NUMBERS[:10]) for _ in range(2)]
        assert [received(io) for io in sessions] == [["meet", *NUMBERS[:10]]] * 2


def test_4_4_stream_any_number_of_outputs() -> None:
    def repeats(context: DataContext) -> UnitStatusCode:
        return push(context, *(text for text in texts(context) for _ in range(int(text))))

    assert results(line("u"), [unit("u", repeats)], *"0213") == [*"221333"]


def test_4_4_origin_is_the_default_output_type() -> None:
    described = UnitDescription(name="u", description="", entry="")
    assert (described.output_type, described.condition) == ("origin", "none")


@pytest.mark.parametrize("normal", [True, False])
def test_4_4_expand_each_buffer_becomes_a_stream(normal: bool) -> None:
    streams: list[list[str]] = []

    def pre(context: DataContext) -> UnitStatusCode:
        context.set_private("seen", [])
        return SUCCESS

    def process(context: DataContext) -> UnitStatusCode:
        context.get_private("seen").extend(texts(context))
        return passes(context)

    def post(context: DataContext) -> UnitStatusCode:
        streams.append(context.get_private("seen"))
        return SUCCESS

    units = [
        unit("split", letters, normal=normal, **EXPAND),
        unit("see", process, data_pre=pre, data_post=post),
        glue(),
    ]
    assert results(line("split", "see", "glue"), units, "abc", "de") == ["a+b+c", "d+e"]
    assert sorted(streams) == [["a", "b", "c"], ["d", "e"]]


@pytest.mark.parametrize("normal", [True, False])
def test_4_4_collapse_each_child_stream_becomes_one_buffer_at_its_place(normal: bool) -> None:
    units = [
        split(),
        unit("slow", slow, normal=True, batch=1),
        unit("glue", Log().glues, normal=normal, **COLLAPSE),
        unit("join", joins, normal=True, inputs=("in_1", "in_2")),
    ]
    dot = """in[type=input]; out[type=output]; split[flowunit=split]; slow[flowunit=slow]; glue[flowunit=glue]
        join[flowunit=join]; in -> split:in_1; split:out_1 -> slow:in_1; slow:out_1 -> glue:in_1
        glue:out_1 -> join:in_1; in -> join:in_2; join:out_1 -> out"""
    with running(dot, *units) as flow:
        sessions = [sent(flow, "222", "0", "12"), sent(flow, "10")]
        expected = [["2+2+2222", "00", "1+212"], ["1+010"]]
        assert [received(io) for io in sessions] == expected


def test_4_4_condition_each_buffer_leaves_by_one_port_and_the_join_restores_the_order() -> None:
    dot = CHOICE.replace("choose:yes -> p:in_1", "choose:yes -> s:in_1; s:out_1 -> p:in_1; s[flowunit=s]")

    def late(context: DataContext) -> UnitStatusCode:
        time.sleep(0.002)
        return push(context, *(f"{text}!" for text in texts(context)))

    units = [condition(), unit("p", passes, normal=True), unit("s", late, normal=True, batch=1)]
    with running(dot, *units) as flow:
        sessions = [sent(flow, *"acabb"), sent(flow, "c"), sent(flow)]
        assert [received(io) for io in sessions] == [["a!", "c", "a!", "b", "b"], ["c"], []]


def test_4_4_loop_chooses_for_each_stream() -> None:
    dot, units = loop_flow(Log())
    with running(dot, *units) as flow:
        sessions = [sent(flow, "a", "b"), sent(flow, "cxx"), sent(flow, "dxxx"), sent(flow)]
        assert [received(io) for io in sessions] == [["axxx", "bxxx"], ["cxxx"], ["dxxx"], []]


def test_4_4_loop_what_leaves_is_matched_with_what_came_before() -> None:
    dot, units = loop_flow(Log())
    dot = dot.replace("turn:done -> out", "turn:done -> pair:in_1; in -> pair:in_2; pair:out_1 -> out")
    units = [*units, unit("pair", joins, normal=True, inputs=("in_1", "in_2"))]
    assert results(f"{dot}; pair[flowunit=pair, device=cpu]", units, "a", "b") == ["axxxa", "bxxxb"]


def test_4_4_loop_must_put_the_whole_stream_on_one_port() -> None:
    def halves(context: DataContext) -> UnitStatusCode:
        push(context, "a", port="again")
        return push(context, "b", port="done")

    dot, (_, add) = loop_flow(Log())
    turn = unit("turn", halves, normal=True, outputs=("again", "done"), condition=ConditionType.LOOP)
    ending = ending_of(dot, [turn, add], "a", "b")
    assert ending == UnitStatusCode.STATUS_STOP
    assert "1 on again, 1 on done" in ending.errormsg()


@pytest.mark.parametrize("cancelled", [ConditionType.IF_ELSE, ConditionType.LOOP])
def test_4_4_expand_and_collapse_cancel_condition_and_loop(cancelled: ConditionType) -> None:
    units = [split(condition=cancelled), glue(condition=cancelled)]
    assert results(line("split", "glue"), units, "ab", "c") == ["a+b", "c"]


def test_4_4_condition_forces_normal() -> None:
    stream_condition = condition(normal=False, flow_type=FlowType.STREAM, data_pre=lambda context: None)
    assert results(CHOICE, [stream_condition, unit("p", passes, normal=True)], *"acb") == [*"acb"]


def test_4_4_loop_forces_normal() -> None:
    dot, (turn, add) = loop_flow(Log())
    described, maker = turn
    stream_loop = unit(
        "turn",
        lambda context: maker.process(None, context),  # type: ignore[attr-defined]
        data_pre=lambda context: None,
        outputs=described.outputs,
        condition=ConditionType.LOOP,
    )
    assert results(dot, [stream_loop, add], "a") == ["axxx"]
