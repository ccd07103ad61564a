"""Spec 4.8: data_pre and data_post. What their statuses do: test_spec_4_10. The group methods, which are never
called: unitapi/test_5_2_calls."""

import pytest

from server.flow.unitapi import DataContext, FlowUnitEvent, Status, UnitStatusCode
from tests.flow.run.parts import glue, notes, split
from tests.flow.run.programs import (
    COLLAPSE,
    CONTINUE,
    SUCCESS,
    line,
    passes,
    push,
    received,
    results,
    running,
    sent,
    stream_of,
    texts,
    unit,
)

NODATA = Status(UnitStatusCode.STATUS_NODATA, "not today")


def test_4_8_stream_units_get_them_around_all_calls_of_a_stream() -> None:
    log: list[str] = []

    def process(context: DataContext) -> UnitStatusCode:
        log.extend(texts(context))
        return passes(context)

    made = unit("u", process, data_pre=notes(log, "pre"), data_post=notes(log, "post"))
    assert results(line("u"), [made], *"abc") == [*"abc"]
    assert log == ["pre", "a", "b", "c", "post"]


@pytest.mark.parametrize("normal", [True, False])
def test_4_8_collapse_units_get_them_around_each_child_stream(normal: bool) -> None:
    logs: dict[int, list[str]] = {}

    def note(word: str) -> object:
        def method(context: DataContext) -> object:
            logs.setdefault(id(context), []).append(word)
            return SUCCESS

        return method

    def process(context: DataContext) -> UnitStatusCode:
        logs[id(context)].append("".join(texts(context)))
        kept.append(context)
        return push(context, "x")

    kept: list[DataContext] = []
    made = unit(
        "glue",
        process,
        normal=normal,
        data_pre=note("pre"),  # type: ignore[arg-type]
        data_post=note("post"),  # type: ignore[arg-type]
        **COLLAPSE,
    )
    assert results(line("split", "glue"), [split(), made], "ab", "c") == ["x", "x"]
    assert sorted(logs.values()) == [["pre", "ab", "post"], ["pre", "c", "post"]]


def test_4_8_normal_units_do_not_get_them() -> None:
    log: list[str] = []
    made = unit("u", passes, normal=True, data_pre=notes(log, "pre"), data_post=notes(log, "post"))
    assert results(line("u"), [made], "a", "b") == ["a", "b"]
    assert log == []


def test_4_8_data_pre_waits_for_the_first_buffer() -> None:
    log: list[str] = []
    with running(line("u"), unit("u", passes, data_pre=notes(log, "pre"))) as flow:
        io = stream_of(flow)
        assert io.recv("out", 30) is None
        assert log == []
        io.send("in", "a")
        assert str(io.recv("out", 5000)) == "a"
        assert log == ["pre"]


def test_4_8_data_post_comes_when_the_end_was_processed_and_no_event_is_pending() -> None:
    log: list[str] = []

    def process(context: DataContext) -> UnitStatusCode:
        log.append("event" if context.event() is not None else "data")
        if len(log) < 4:
            context.send_event(FlowUnitEvent())
            return CONTINUE
        return push(context, "done")

    with running(line("u"), unit("u", process, data_post=notes(log, "post"))) as flow:
        assert received(sent(flow, "a")) == ["done"]
    assert log == ["data", "event", "event", "event", "post"]


def test_4_8_data_pre_sees_the_first_buffers_and_has_no_outputs_and_no_external_data() -> None:
    seen: list[object] = []

    def pre(context: DataContext) -> UnitStatusCode:
        buffers = context.input("in_1")
        assert buffers is not None
        seen.extend((texts(context), buffers[0].get("width"), context.output("out_1"), context.external()))  # type: ignore[union-attr]
        return SUCCESS

    with running(line("u"), unit("u", passes, data_pre=pre)) as flow:
        io = stream_of(flow)
        first = io.create_buffer("a")
        first.set("width", 640)
        io.send("in", first)
        io.send("in", "b")
        io.close_input()
        assert received(io) == ["a", "b"]
    assert seen == [["a"], 640, None, None]


def test_4_8_a_failed_data_pre_is_one_error_for_each_port_and_the_rest_of_the_input_is_dropped() -> None:
    log: list[str] = []

    def never(context: DataContext) -> UnitStatusCode:
        raise AssertionError

    dot = """in[type=input]; one[type=output]; two[type=output]; u[flowunit=u]
        in -> u:in_1; u:one -> one; u:two -> two"""
    pre, post = notes(log, "pre", NODATA), notes(log, "post")
    with running(dot, unit("u", never, outputs=("one", "two"), data_pre=pre, data_post=post)) as flow:
        io = sent(flow, *"abc")
        buffer = io.recv("one", 5000)
        assert buffer is not None
        assert (buffer.get_error_code(), buffer.get_error_msg()) == ("u.DataPreError", "not today")
        assert received(io, "two") == ["!u.DataPreError"]
        assert io.recv("one", 5000) is None
    assert log == ["pre", "post"]


@pytest.mark.parametrize("collapse_all", [True, False])
def test_4_8_data_post_follows_a_failed_data_pre_of_a_collapse_unit_too(collapse_all: bool) -> None:
    log: list[str] = []
    pre, post = notes(log, "pre", NODATA), notes(log, "post")
    units = [split(), glue(data_pre=pre, data_post=post, collapse_all=collapse_all)]
    assert results(line("split", "glue"), units, "ab") == ["!glue.DataPreError"]
    assert log == ["pre", "post"]
