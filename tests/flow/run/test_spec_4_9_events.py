"""Spec 4.9: events. A producer: sdk/test_spec_appendix_a; what an event call gets: test_spec_4_5."""

import threading

import pytest

from server.flow.unitapi import DataContext, FlowUnitEvent, UnitStatusCode
from tests.flow.run.parts import glue, meta_of, reads_who, split
from tests.flow.run.programs import (
    COLLAPSE,
    CONTINUE,
    EXPAND,
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


def letter_by_letter(context: DataContext) -> UnitStatusCode:
    """Gives the first letter of a text in the call that gets it, each other in the call of an event."""
    if context.event() is None:
        context.set_private_string("rest", texts(context)[0])
    rest = context.get_private_string("rest")
    context.set_private_string("rest", rest[1:])
    if len(rest) > 1:
        context.send_event(FlowUnitEvent())
    push(context, rest[0])
    return CONTINUE if len(rest) > 1 else SUCCESS


def test_4_9_send_event_brings_the_same_object_back() -> None:
    sent_events: list[FlowUnitEvent] = []
    got: list[FlowUnitEvent | None] = []

    def process(context: DataContext) -> UnitStatusCode:
        if context.event() is not None:
            got.append(context.event())
            return SUCCESS
        for _ in range(3):
            sent_events.append(FlowUnitEvent())
            context.send_event(sent_events[-1])
        return CONTINUE

    assert results(line("u"), [unit("u", process)], "x") == []
    assert len(got) == 3
    assert all(one is other for one, other in zip(got, sent_events, strict=True))


def test_4_9_events_of_a_session_that_was_shut_down_are_dropped() -> None:
    shut, calls = threading.Event(), []

    def process(context: DataContext) -> UnitStatusCode:
        calls.append(context.event())
        push(context, "begun")
        context.send_event(FlowUnitEvent())
        assert shut.wait(5)
        context.send_event(FlowUnitEvent())
        return CONTINUE

    with running(line("u"), unit("u", process)) as flow:
        session = flow.create_external_data_map()
        assert session is not None
        buffers = session.create_buffer_list()
        buffers.push_back("x")
        session.send("in", buffers)
        while not calls:
            threading.Event().wait(0.001)
        session.shutdown()
        flow_thread = flow._thread
        assert flow_thread is not None
        flow_thread._flow._scheduler.post(shut.set)
        assert session._feed.outlet.take("out", 5)[1] is not None
        assert session._feed.outlet.take("out", 5)[1] is None
    assert calls == [None]


def test_4_9_pending_events_keep_the_stream_open() -> None:
    """SUCCESS instead of CONTINUE makes no difference while an event is pending."""

    def process(context: DataContext) -> UnitStatusCode:
        letter_by_letter(context)
        return SUCCESS

    assert results(line("u"), [unit("u", process)], "abc") == ["a", "b", "c"]


def test_4_9_stream_units_data_calls_and_event_calls_may_interleave() -> None:
    def process(context: DataContext) -> UnitStatusCode:
        event = context.event()
        if event is not None:
            return push(context, f"{event.get_private_string('of')} again")
        (text,) = texts(context)
        event = FlowUnitEvent()
        event.set_private_string("of", text)
        context.send_event(event)
        return push(context, text)

    found = results(line("u"), [unit("u", process)], *"abc")
    assert sorted(found) == ["a", "a again", "b", "b again", "c", "c again"]
    assert [each for each in found if len(each) == 1] == [*"abc"]


@pytest.mark.parametrize("normal", [True, False])
def test_4_9_expand_units_prolong_the_child_stream_of_their_last_buffer(normal: bool) -> None:
    units = [unit("split", letter_by_letter, normal=normal, **EXPAND), glue()]
    assert results(line("split", "glue"), units, "abc", "d", "ef") == ["a+b+c", "d", "e+f"]


@pytest.mark.parametrize("normal", [True, False])
@pytest.mark.parametrize("is_pending", [True, False])
def test_4_9_a_child_stream_that_is_kept_open_ends_with_its_session(normal: bool, is_pending: bool) -> None:
    shut = threading.Event()

    def holds(context: DataContext) -> UnitStatusCode:
        if is_pending:
            context.send_event(FlowUnitEvent())
            if context.event() is not None:
                shut.wait(5)
                return CONTINUE
        push(context, *texts(context))
        return CONTINUE

    units = [unit("split", holds, normal=normal, **EXPAND), glue(collapse_all=False)]
    with running(line("split", "glue"), *units) as flow:
        io = sent(flow, "a", "b")
        assert io.recv("out", 50) is None
        io._feed.shutdown()
        shut.set()
        # whether the second buffer comes before the shutdown depends on the kind of unit
        assert received(io)[:1] == ["a"]


@pytest.mark.parametrize("normal", [True, False])
def test_4_9_a_call_under_way_at_the_shutdown_keeps_no_child_stream_open(normal: bool) -> None:
    entered, shut = threading.Event(), threading.Event()

    def process(context: DataContext) -> UnitStatusCode:
        push(context, *texts(context))
        entered.set()
        assert shut.wait(5)
        context.send_event(FlowUnitEvent())
        return CONTINUE

    with running(line("split", "glue"), unit("split", process, normal=normal, **EXPAND), glue()) as flow:
        io = sent(flow, "a")
        assert entered.wait(5)
        io._feed.shutdown()
        assert flow._thread is not None
        flow._thread._flow._scheduler.post(shut.set)
        assert received(io) == ["a"]


def test_4_9_events_are_ignored_for_normal_units_and_for_stream_collapse_units() -> None:
    def sends(context: DataContext) -> UnitStatusCode:
        assert context.event() is None
        context.send_event(FlowUnitEvent())
        return push(context, "+".join(texts(context)))

    units = [unit("u", sends, normal=True, batch=1), split(), unit("glue", sends, **COLLAPSE)]
    assert results(line("u", "split", "glue"), units, "ab", "c") == ["a+b", "c"]


def test_4_9_events_are_ignored_for_normal_collapse_units_too() -> None:
    """They make the node fail in the original. Nothing is wrong with the unit's other results."""

    def sends(context: DataContext) -> UnitStatusCode:
        context.send_event(FlowUnitEvent())
        return push(context, "+".join(texts(context)))

    assert results(line("split", "glue"), [split(), glue(sends)], "ab", "c") == ["a+b", "c"]


def test_4_9_buffers_of_an_event_call_inherit_from_the_last_input() -> None:
    def sets(context: DataContext) -> UnitStatusCode:
        context.set_output_meta("out_1", meta_of(who="me"))
        return passes(context)

    units = [unit("set", sets), unit("u", letter_by_letter), unit("read", reads_who)]
    with running(line("set", "u", "read"), *units) as flow:
        io = stream_of(flow)
        io.send("in", "abc")
        io.close_input()
        assert received(io) == ["me"] * 3
