"""Spec 4.11: error buffers. What comes of one that reaches httpserver_sync_reply: http/test_spec_7_3_errors."""

import pytest

from server.flow.description import ConditionType, FlowType
from server.flow.sdk import ExtOutputBufferList
from server.flow.unitapi import DataContext, Status, UnitStatusCode
from tests.flow.run.parts import CHOICE, Log, condition, glue, joins, letters, loop_flow, split, spoils
from tests.flow.run.programs import (
    CONTINUE,
    EXPAND,
    SUCCESS,
    line,
    list_of,
    passes,
    push,
    received,
    results,
    running,
    sent,
    texts,
    unit,
)
from tests.flow.run.support import Graph, run

NODATA = Status(UnitStatusCode.STATUS_NODATA, "nothing there")


def fails_on(text: str) -> object:
    """Returns an error for a call that has `text`."""

    def process(context: DataContext) -> object:
        return NODATA if text in texts(context) else passes(context)

    return process


def test_4_11_source_a_unit_sets_an_error_on_an_output() -> None:
    with running(line("spoil"), spoils("b")) as flow:
        io = sent(flow, *"abc")
        found = [io.recv("out", 5000) for _ in range(3)]
    assert [each.has_error() for each in found if each is not None] == [False, True, False]
    assert found[1] is not None
    assert (found[1].get_error_code(), found[1].get_error_msg()) == ("Spoilt", "b is bad")


@pytest.mark.parametrize("normal", [True, False])
def test_4_11_source_process_returned_an_error(normal: bool) -> None:
    dot = """in[type=input]; one[type=output]; two[type=output]; u[flowunit=u]
        in -> u:in_1; u:one -> one; u:two -> two"""
    made = unit("u", lambda context: NODATA, normal=normal, outputs=("one", "two"))
    with running(dot, made) as flow:
        io = sent(flow, "a")
        for port in ("one", "two"):
            buffer = io.recv(port, 5000)
            assert buffer is not None
            assert (buffer.get_error_code(), buffer.get_error_msg()) == ("u.ProcessError", "nothing there")


@pytest.mark.parametrize(("normal", "count"), [(True, 4), (False, 1)])
def test_4_11_an_error_of_process_is_one_for_each_input_of_a_normal_unit_and_else_one(
    normal: bool, count: int
) -> None:
    graph = Graph()
    source = graph.add("Src")
    batch = {
        "default_batch_size": 4,
        "max_batch_size": 4,
        "flow_type": FlowType.NORMAL if normal else FlowType.STREAM,
    }
    graph.add("Sink", graph.add("Returns", source, options={"code": "13"}, **batch))
    assert run(graph.plan(), [*"abcd"]).sunk == [["!Returns.ProcessError"] * count]


def test_4_11_an_error_of_a_condition_leaves_by_its_first_port_by_name() -> None:
    dot = """in[type=input]; x[type=output, output_type=unmatch]; b[type=output, output_type=unmatch]
        spoil[flowunit=spoil]; c[flowunit=c]; in -> spoil:in_1; spoil:out_1 -> c:in_1; c:b -> b; c:x -> x"""

    def process(context: DataContext) -> object:
        return NODATA if texts(context) == ["4"] else push(context, *texts(context), port="x")

    with running(dot, spoils("2"), condition(process, name="c", outputs=("x", "b"))) as flow:
        io = sent(flow, *"12345")
        assert received(io, "b") == ["!Spoilt", "!c.ProcessError"]
        assert received(io, "x") == ["1", "3", "5"]


def test_4_11_an_error_leaves_a_loop_by_its_exit() -> None:
    """ModelBox takes the first port in name order. That may be the way back, on which the error is once more one:
    it goes round for ever."""
    dot, units = loop_flow(Log())
    dot = dot.replace("in -> turn:in_1", "in -> spoil:in_1; spoil:out_1 -> turn:in_1")
    dot += "; spoil[flowunit=spoil, device=cpu]"
    assert results(dot, [*units, spoils("b")], "a", "b", "c") == ["axxx", "!Spoilt", "cxxx"]
    assert results(dot, [*units, spoils("b")], "b") == ["!Spoilt"]
    described, _ = units[0]
    loop = {"outputs": described.outputs, "condition": ConditionType.LOOP}
    fails = unit("turn", lambda context: NODATA, normal=True, **loop)
    assert results(dot, [fails, units[1], spoils("b")], "a", "c") == ["!turn.ProcessError"] * 2


@pytest.mark.parametrize("normal", [True, False])
def test_4_11_an_error_skips_process_and_keeps_its_place(normal: bool) -> None:
    log = Log()
    units = [spoils("b"), unit("log", log.passes, normal=normal)]
    assert results(line("spoil", "log"), units, *"abc") == ["a", "!Spoilt", "c"]
    assert [text for call in log.calls for text in call] == ["a", "c"]


def test_4_11_the_other_ports_of_its_position_are_skipped_with_it() -> None:
    dot = """in[type=input]; out[type=output]; spoil[flowunit=spoil]; join[flowunit=join]
        in -> spoil:in_1; spoil:out_1 -> join:in_1; in -> join:in_2; join:out_1 -> out"""
    join = unit("join", joins, inputs=("in_1", "in_2"), normal=True)
    assert results(dot, [spoils("b"), join], *"abc") == ["aa", "!Spoilt", "cc"]


def test_4_11_exception_visible_units_get_errors_as_inputs_without_data() -> None:
    sizes: list[int] = []

    def process(context: DataContext) -> UnitStatusCode:
        assert context.has_error() == any(text.startswith("!") for text in texts(context))
        sizes.extend(buffer.get_bytes() for buffer in context.input("in_1") or ())
        return push(context, *texts(context))

    units = [spoils("b"), unit("sees", process, exception_visible=True)]
    assert results(line("spoil", "sees"), units, *"abc") == ["a", "!Spoilt", "c"]
    assert sizes == [1, 0, 1]


def test_4_11_level_a_unit_deeper_than_the_error_does_not_see_it() -> None:
    log = Log()
    see = unit("see", log.passes, exception_visible=True)
    units = [spoils("b"), split(), see, glue()]
    assert results(line("spoil", "split", "see", "glue"), units, "a", "b", "cc") == ["a", "!Spoilt", "c+c"]
    assert sorted(text for call in log.calls for text in call) == ["a", "c", "c"]
    in_branch = CHOICE.replace("in -> choose", "in -> spoil:in_1; spoil:out_1 -> choose")
    in_branch = in_branch.replace("choose:no -> p:in_1", "choose:no -> see:in_1; see:out_1 -> p:in_1")
    log.calls.clear()
    units = [spoils("b"), condition(), see, unit("p", passes, normal=True)]
    assert results(f"{in_branch}; spoil[flowunit=spoil]; see[flowunit=see]", units, *"abc") == [
        "a",
        "!Spoilt",
        "c",
    ]
    assert log.calls == [["c"]]


def test_4_11_level_units_at_the_same_and_at_outer_levels_see_it() -> None:
    inner, outer = Log(), Log()
    units = [
        split(),
        spoils("b"),
        unit("inner", inner.passes, exception_visible=True),
        glue(),
        unit("outer", outer.passes, exception_visible=True),
    ]
    assert results(line("split", "spoil", "inner", "glue", "outer"), units, "ab", "c") == ["!Spoilt", "c"]
    assert ["!Spoilt"] in inner.calls
    assert outer.calls == [["!Spoilt"], ["c"]]


@pytest.mark.parametrize("collapse_all", [True, False])
def test_4_11_one_error_in_a_child_stream_is_the_result_of_its_collapse(collapse_all: bool) -> None:
    log = Log()
    units = [split(), spoils("a"), glue(log.glues, collapse_all=collapse_all)]
    assert results(line("split", "spoil", "glue"), units, "abc", "d") == ["!Spoilt", "d"]
    assert log.calls == [["d"]]


def test_4_11_a_failed_call_of_several_is_the_result_of_its_collapse() -> None:
    calls: list[list[str]] = []

    def glues(context: DataContext) -> object:
        calls.append(texts(context))
        return NODATA if len(calls) == 1 else push(context, "late")

    units = [split(), unit("one", passes), glue(glues, collapse_all=False)]
    assert results(line("split", "one", "glue"), units, "abc") == ["!glue.ProcessError"]
    assert len(calls) == 1


@pytest.mark.parametrize("normal", [True, False])
def test_4_11_an_error_of_an_expand_unit_is_alone_in_the_child_stream(normal: bool) -> None:
    def process(context: DataContext) -> object:
        return NODATA if texts(context) == ["bad"] else letters(context)

    units = [unit("split", process, normal=normal, **EXPAND), glue()]
    assert results(line("split", "glue"), units, "ab", "bad", "c") == ["a+b", "!split.ProcessError", "c"]


def test_4_11_at_an_output_node_it_is_delivered_and_is_the_last_error() -> None:
    with running(line("spoil"), spoils("b")) as flow:
        session = flow.create_external_data_map()
        assert session is not None
        session.send("in", list_of("a", "b"))
        session.close()
        status = SUCCESS
        output = ExtOutputBufferList()
        while status == SUCCESS:
            status = session.recv(output).code()
        assert status == UnitStatusCode.STATUS_INVALID
        error = session.get_last_error()
        assert error is not None
        assert error.get_description() == "b is bad"
        buffers = output.get_buffer_list("out")
        assert buffers is not None
        assert [buffer.has_error() for buffer in buffers] == [False, True]


@pytest.mark.parametrize("unit_name", ["BlindSink", "Fails"])
def test_4_11_at_a_node_without_outputs_it_is_the_sessions_error(unit_name: str) -> None:
    graph = Graph()
    bad = graph.add("Add", graph.add("Src"), options={"bad": "1"} if unit_name == "BlindSink" else {"tag": ""})
    graph.add(unit_name, bad, outputs=(), options={"every": "1"})
    done = run(graph.plan(), ["abc"], [])
    expected = ("Add.Bad", "abc") if unit_name == "BlindSink" else ("Fails.ProcessError", "ValueError: abc")
    assert done.errors == [expected, None]


def test_4_11_order_and_continue_after_errors_of_a_stream() -> None:
    def process(context: DataContext) -> object:
        if texts(context) == ["b"]:
            return NODATA
        passes(context)
        return SUCCESS if texts(context) == ["d"] else CONTINUE

    assert results(line("u"), [unit("u", process)], *"abcd") == ["a", "!u.ProcessError", "c", "d"]
