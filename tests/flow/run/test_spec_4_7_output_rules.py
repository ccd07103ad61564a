"""Spec 4.7, and 3.4: what a unit may give, bullet by bullet."""

import threading
from pathlib import Path

import pytest

from server.flow.unitapi import DataContext, UnitStatusCode
from tests.flow.run.folders import UnitFolder
from tests.flow.run.parts import CHOICE, condition, glue, joins, notes, split
from tests.flow.run.programs import (
    CONTINUE,
    EXPAND,
    SUCCESS,
    Method,
    Unit,
    ending_of,
    line,
    passes,
    push,
    results,
    texts,
    unit,
)

CODES = UnitStatusCode
JOIN = unit("join", joins, inputs=("in_1", "in_2"), normal=True)


def through(*names: str) -> str:
    """in -> each of two units -> an input of join."""
    ways = "; ".join(
        f"{name}[flowunit={name}]; in -> {name}:in_1; {name}:out_1 -> join:in_{number}"
        for number, name in enumerate(names, 1)
    )
    return f"in[type=input]; out[type=output]; join[flowunit=join]; {ways}; join:out_1 -> out"


@pytest.mark.parametrize(("pushed", "found"), [((), 0), (("x", "y"), 2)])
def test_4_7_a_normal_unit_must_give_as_many_as_it_got(pushed: tuple[str, ...], found: int) -> None:
    ending = ending_of(line("u"), [unit("u", lambda context: push(context, *pushed), normal=True)], "a")
    assert ending == CODES.STATUS_STOP
    assert f"input buffer count 1 should equal output buffer count {found}" in ending.errormsg()


def test_4_7_a_normal_unit_must_give_them_on_each_port() -> None:
    def process(context: DataContext) -> UnitStatusCode:
        return push(context, *texts(context), port="one")

    dot = """in[type=input]; one[type=output]; two[type=output]; u[flowunit=u]
        in -> u:in_1; u:one -> one; u:two -> two"""
    ending = ending_of(dot, [unit("u", process, normal=True, outputs=("one", "two"))], "a")
    assert ending == CODES.STATUS_STOP
    assert "port 'two'" in ending.errormsg()


@pytest.mark.parametrize("ports", [(), ("yes", "no"), ("yes", "yes")])
def test_4_7_a_condition_must_put_each_buffer_on_exactly_one_port(ports: tuple[str, ...]) -> None:
    def process(context: DataContext) -> UnitStatusCode:
        for port in ports:
            push(context, "x", port=port)
        return SUCCESS

    assert ending_of(CHOICE, [condition(process), unit("p", passes, normal=True)], "a") == CODES.STATUS_STOP


def uneven(context: DataContext) -> UnitStatusCode:
    push(context, "x", port="one")
    return push(context, "x", "y", port="two")


def two_ports(options: str) -> tuple[str, list[Unit]]:
    dot = f"""in[type=input]; out[type=output]
        u[flowunit=u, device=cpu {options}]; join[flowunit=join, device=cpu]
        in -> u:in_1; u:one -> join:in_1; u:two -> join:in_2; join:out_1 -> out"""
    return dot, [unit("u", uneven, outputs=("one", "two")), JOIN]


def test_4_7_need_check_output_verifies_that_ports_of_a_stream_unit_have_equal_counts() -> None:
    ending = ending_of(*two_ports(", need_check_output=true"), "a")
    assert ending == CODES.STATUS_STOP
    assert "Output port two data is not same with other port" in ending.errormsg()


@pytest.mark.parametrize("normal", [True, False])
def test_4_7_need_check_output_verifies_expand_units_too(normal: bool) -> None:
    dot = """in[type=input]; out[type=output]; u[flowunit=u, need_check_output=true]; join[flowunit=join]
        glue[flowunit=glue]; in -> u:in_1; u:one -> join:in_1; u:two -> join:in_2; join:out_1 -> glue:in_1
        glue:out_1 -> out"""
    units = [unit("u", uneven, outputs=("one", "two"), normal=normal, **EXPAND), JOIN, glue()]
    assert ending_of(dot, units, "a") == CODES.STATUS_STOP


def test_4_7_unverified_differences_end_the_flow_where_they_meet() -> None:
    ending = ending_of(*two_ports(""), "a")
    assert ending == CODES.STATUS_FAULT
    assert "missmatch" in ending.errormsg()


def test_4_7_stream_same_count_is_not_enforced(tmp_path: Path) -> None:
    folder = UnitFolder(tmp_path)
    folder.add_each("odd", "str(b)", condition="int(str(b)) % 2", stream_same_count=True)
    dot = "in[type=input]; out[type=output]; odd[flowunit=odd]; in -> odd:in_1; odd:out_1 -> out"
    assert folder.results(dot, *"1234") == ["1", "3"]


def test_4_7_the_input_buffer_may_be_pushed_and_is_copied() -> None:
    kept = []

    def process(context: DataContext) -> UnitStatusCode:
        buffers = context.input("in_1")
        assert buffers is not None
        buffer = buffers[0]
        assert buffer is not None
        push(context, buffer)
        buffer.set("later", True)
        out = context.output("out_1")
        assert out is not None
        kept.append("later" in out[0]._metas)  # type: ignore[union-attr]
        return SUCCESS

    assert results(line("u"), [unit("u", process)], "a") == ["a"]
    assert kept == [False]


def test_4_7_one_buffer_may_be_pushed_twice() -> None:
    def twice(context: DataContext) -> UnitStatusCode:
        passes(context)
        return passes(context)

    assert results(line("u"), [unit("u", twice)], "a", "b") == ["a", "a", "b", "b"]


def without(*left_out: str) -> Method:
    return lambda context: push(context, *(text for text in texts(context) if text not in left_out))


def test_4_7_outputs_of_a_stream_unit_get_new_indices() -> None:
    units = [unit("u", without("a")), unit("v", without("c")), JOIN]
    assert results(through("u", "v"), units, *"abc") == ["ba", "cb"]


def test_4_7_outputs_of_a_normal_unit_keep_the_index_of_the_input() -> None:
    units = [unit("u", passes, normal=True, batch=1), unit("v", passes), JOIN]
    assert results(through("u", "v"), units, *"abcdefgh") == [each * 2 for each in "abcdefgh"]


def test_4_7_a_stream_call_without_outputs_is_legal_and_so_is_the_end() -> None:
    assert results(line("u"), [unit("u", without("2", "4", "6"))], *"123456") == ["1", "3", "5"]
    assert results(line("u"), [unit("u", lambda context: SUCCESS)], *"123") == []


TOO_MANY = "should generate one buffer for one stream collapse"


def test_4_7_a_collapse_must_not_give_more_than_one() -> None:
    ending = ending_of(line("split", "glue"), [split(), glue(lambda context: push(context, "x", "y"))], "ab")
    assert ending == CODES.STATUS_STOP
    assert TOO_MANY in ending.errormsg()


def test_4_7_a_collapse_must_not_give_more_than_one_in_several_calls() -> None:
    first = threading.Event()

    def late(context: DataContext) -> UnitStatusCode:
        assert texts(context) == ["a"] or first.wait(5)
        return passes(context)

    def glues(context: DataContext) -> UnitStatusCode:
        first.set()
        return passes(context)

    units = [split(), unit("late", late), glue(glues, collapse_all=False)]
    ending = ending_of(line("split", "late", "glue"), units, "ab")
    assert ending == CODES.STATUS_STOP
    assert TOO_MANY in ending.errormsg()


@pytest.mark.parametrize("normal", [True, False])
def test_4_7_expand_with_nothing_leaves_a_place_that_nobody_sees(normal: bool) -> None:
    """In the original everything behind waits for that place, for ever."""

    def by_words(context: DataContext) -> UnitStatusCode:
        return push(context, *(word for text in texts(context) for word in text.split()))

    units = [unit("words", by_words, normal=normal, **EXPAND), glue(), unit("see", passes)]
    assert results(line("words", "glue", "see"), units, "a b", "", "c") == ["a+b", "c"]


def test_4_7_collapse_with_nothing_leaves_a_place_that_nobody_sees() -> None:
    """In the original everything behind waits for that place, for ever."""

    def glues(context: DataContext) -> UnitStatusCode:
        return SUCCESS if "b" in texts(context) else push(context, "+".join(texts(context)))

    units = [split(), glue(glues), unit("see", passes)]
    assert results(line("split", "glue", "see"), units, "ac", "ab", "c") == ["a+c", "c"]
    dot = through("split", "see").replace("split:out_1 -> join", "split:out_1 -> glue:in_1; glue:out_1 -> join")
    assert results(f"{dot}; glue[flowunit=glue]", [*units, JOIN], "ac", "ab", "c") == ["a+cac", "cc"]


def test_4_7_continue_from_a_normal_unit_loses_its_outputs_and_nothing_else() -> None:
    """In the original everything behind waits for them, for ever."""

    def process(context: DataContext) -> UnitStatusCode:
        passes(context)
        return CONTINUE if texts(context) == ["b"] else SUCCESS

    units = [unit("u", process, normal=True, batch=1), unit("v", passes)]
    assert results(line("u", "v"), units, *"abc") == ["a", "c"]
    assert results(through("u", "v"), [*units, JOIN], *"abc") == ["aa", "cc"]


@pytest.mark.parametrize("normal", [True, False])
def test_4_7_an_empty_stream_calls_nothing_and_its_end_is_passed_on(normal: bool) -> None:
    calls: list[str] = []
    note = notes(calls, "called")
    units = [unit("u", note, data_pre=note, data_post=note, normal=normal), split(), glue()]
    assert results(line("u", "split", "glue"), units) == []
    assert calls == []
