"""Spec 4.3: data contexts, session contexts, stream metas, external data, session configuration.

ExternalDataMap and FlowStreamIO: sdk/test_spec_5_13. `SessionContext.get_session_config`: unitapi/test_5_9.
"""

import threading

import pytest

from server.flow.unitapi import DataContext, ExternalData, FlowUnit, FlowUnitEvent, UnitStatusCode
from tests.flow.run.parts import fed, glue, meta_of, reads_who, split
from tests.flow.run.programs import (
    CONTINUE,
    SUCCESS,
    Method,
    line,
    list_of,
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


def test_4_3_a_stream_keeps_private_values_from_data_pre_to_data_post() -> None:
    ends: list[int] = []

    def pre(context: DataContext) -> UnitStatusCode:
        context.set_private_int("count", 0)
        return SUCCESS

    def process(context: DataContext) -> UnitStatusCode:
        context.set_private_int("count", context.get_private_int("count") + 1)
        return push(context, str(context.get_private_int("count")))

    def post(context: DataContext) -> UnitStatusCode:
        ends.append(context.get_private_int("count"))
        return SUCCESS

    with running(line("u"), unit("u", process, data_pre=pre, data_post=post)) as flow:
        assert received(sent(flow, *"abc")) == ["1", "2", "3"]
        assert received(sent(flow, "a")) == ["1"]
    assert ends == [3, 1]


def test_4_3_a_normal_units_context_is_that_of_one_call() -> None:
    """ModelBox has one for each stream and shows the first stream's: which one that is depends on timing, and
    calls for one stream run at once. What is kept there would be the state that normal units must not have."""

    def process(context: DataContext) -> UnitStatusCode:
        assert "seen" not in context._values
        context.set_private_string("seen", "yes")
        return passes(context)

    assert results(line("u"), [unit("u", process, normal=True, batch=1)], *"abc") == [*"abc"]


def test_4_3_a_normal_expand_unit_has_a_context_for_each_buffer() -> None:
    both = threading.Barrier(2)

    def process(context: DataContext) -> UnitStatusCode:
        if context.event() is None:
            context.set_private_string("rest", texts(context)[0])
            both.wait(5)
        rest = context.get_private_string("rest")
        context.set_private_string("rest", rest[1:])
        if len(rest) > 1:
            context.send_event(FlowUnitEvent())
        push(context, rest[0])
        return CONTINUE if len(rest) > 1 else SUCCESS

    assert results(line("split", "glue"), [split(process), glue()], "abc", "de") == ["a+b+c", "d+e"]


def test_4_3_the_session_context_is_shared_by_all_nodes_of_one_session() -> None:
    def first(context: DataContext) -> UnitStatusCode:
        context.get_session_context().set_private_string("who", texts(context)[0])
        return passes(context)

    def second(context: DataContext) -> UnitStatusCode:
        return push(context, context.get_session_context().get_private_string("who"))

    with running(line("a", "b"), unit("a", first), unit("b", second)) as flow:
        assert [received(sent(flow, name)) for name in ("x", "y")] == [["x"], ["y"]]
        one, two = stream_of(flow), stream_of(flow)
        ids = {io.get_session_context().get_session_id() for io in (one, two)}
        assert len(ids) == 2


def test_4_3_calls_of_several_threads_write_to_one_session() -> None:
    together = threading.Barrier(4)

    def process(context: DataContext) -> UnitStatusCode:
        session = context.get_session_context()
        together.wait(5)
        for number in range(200):
            session.set_private_int(f"{texts(context)[0]}{number}", number)
        session.get_session_config().set(texts(context)[0], "set")
        return passes(context)

    with running(line("u"), unit("u", process, normal=True, batch=1)) as flow:
        io = sent(flow, *"abcd")
        assert received(io) == [*"abcd"]
        session = io.get_session_context()
    assert len(session._values) == 800
    assert [session.get_session_config().get_string(each) for each in "abcd"] == ["set"] * 4


def test_4_3_an_output_stream_inherits_the_metas_of_all_its_input_streams_later_ports_winning() -> None:
    def reads(context: DataContext) -> UnitStatusCode:
        meta = context.get_input_meta("in_1")
        assert meta is not None
        return push(context, *(",".join(meta.get_private_string(key) for key in "abc") for _ in texts(context)))

    units = [unit("join", passes, normal=True, inputs=("in_1", "in_2")), unit("read", reads)]
    dot = """one[type=input]; two[type=input]; out[type=output]; join[flowunit=join, device=cpu]
        read[flowunit=read, device=cpu]; one -> join:in_1; two -> join:in_2; join:out_1 -> read:in_1
        read:out_1 -> out"""
    with running(dot, *units) as flow:
        session = flow.create_external_data_map()
        assert session is not None
        assert session.set_output_meta("one", meta_of(a="1", b="1"))
        assert session.set_output_meta("two", meta_of(b="2", c="2"))
        assert session.set_output_meta("three", meta_of()) == UnitStatusCode.STATUS_INVALID
        assert session.send("one", list_of("x"))
        assert session.send("two", list_of("y"))
        session.close()
        found, buffer = session._feed.outlet.take("out", 5)
        assert found
        assert str(buffer) == "1,2,2"


def sets(*words: str) -> Method:
    """In its first call, and so on for each further word, sets the stream meta `who`, then passes its input on."""
    left = iter(words)

    def process(context: DataContext) -> UnitStatusCode:
        word = next(left, "")
        if word:
            context.set_output_meta("out_1", meta_of(who=word))
        return passes(context)

    return process


READ = unit("read", reads_who, normal=True, batch=1)


def test_4_3_set_output_meta_in_data_pre_and_its_first_call_counts() -> None:
    def pre(context: DataContext) -> UnitStatusCode:
        context.set_output_meta("out_1", meta_of(who="first"))
        context.set_output_meta("out_1", meta_of(who="second"))
        return SUCCESS

    assert results(line("set", "read"), [unit("set", passes, data_pre=pre), READ], "a", "b") == ["first"] * 2


@pytest.mark.parametrize("normal", [True, False])
def test_4_3_set_output_meta_in_the_first_process_counts_and_later_ones_do_not(normal: bool) -> None:
    units = [unit("set", sets("first", "second"), normal=normal, batch=1), READ]
    # the calls of a normal unit run at once: one at a time, here
    with running(line("set", "read"), *units) as flow:
        io = stream_of(flow)
        found = []
        for text in "abc":
            io.send("in", text)
            found.append(str(io.recv("out", 5000)))
    assert found == ["first"] * 3


@pytest.mark.parametrize("normal", [True, False])
def test_4_3_set_output_meta_after_the_first_output_is_ignored(normal: bool) -> None:
    units = [unit("set", sets("", "late"), normal=normal, batch=1), READ]
    with running(line("set", "read"), *units) as flow:
        io = stream_of(flow)
        found = []
        for text in "ab":
            io.send("in", text)
            found.append(str(io.recv("out", 5000)))
    assert found == ["nobody"] * 2


def test_4_3_what_a_call_sets_is_not_seen_in_the_other_sessions_of_its_batch() -> None:
    first = threading.Event()

    def process(context: DataContext) -> UnitStatusCode:
        first.wait(5)
        context.set_output_meta("out_1", meta_of(who=context.get_session_context().get_private_string("me")))
        return passes(context)

    with running(line("set", "read"), unit("set", process, normal=True), READ) as flow:
        sessions = []
        for number in range(20):
            io = stream_of(flow)
            io.get_session_context().set_private_string("me", str(number))
            io.send("in", "x")
            io.close_input()
            sessions.append(io)
        first.set()
        found = [received(io)[0] for io in sessions]
    assert all(who in (str(number), "nobody") for number, who in enumerate(found))
    assert "0" in found


def test_4_3_child_streams_and_the_collapsed_stream_inherit_and_its_first_result_decides() -> None:
    def glues(context: DataContext) -> UnitStatusCode:
        context.set_output_meta("out_1", meta_of(who=f"{texts(context)[0]} and more"))
        return push(context, "+".join(texts(context)))

    def pre(context: DataContext) -> UnitStatusCode:
        context.set_output_meta("out_1", meta_of(who="me"))
        return SUCCESS

    units = [unit("set", passes, data_pre=pre), split(), unit("read1", reads_who), glue(glues), READ]
    dot = line("set", "split", "read1", "glue", "read")
    assert results(dot, units, "ab", "c", "de") == ["me and more"] * 3
    units[3] = glue()
    assert results(dot, units, "ab", "c") == ["me"] * 2


def test_4_3_each_external_data_is_a_session_and_each_send_appends() -> None:
    seen: dict[str, list[str]] = {}
    complete = threading.Event()

    def feed(source: FlowUnit) -> None:
        for name in "ab":
            external = source.create_external_data()
            assert external is not None
            for number in (1, 2):
                assert external.send(list_of(f"{name}{number}"))
            external.close()

    def end(context: DataContext) -> UnitStatusCode:
        seen.setdefault(context.get_session_context().get_session_id(), []).extend(texts(context))
        if sum(map(len, seen.values())) == 4:
            complete.set()
        return SUCCESS

    dot, units = fed(feed, end)
    with running(dot, *units):
        assert complete.wait(5)
    assert sorted(seen.values()) == [["a1", "a2"], ["b1", "b2"]]


def test_4_3_without_close_a_session_does_not_end_and_dropping_closes() -> None:
    kept: list[ExternalData] = []
    ended = threading.Event()

    def feed(source: FlowUnit) -> None:
        external = source.create_external_data()
        assert external is not None
        external.send(list_of("x"))
        kept.append(external)

    def post(context: DataContext) -> UnitStatusCode:
        ended.set()
        return SUCCESS

    dot, units = fed(feed, lambda context: SUCCESS, data_post=post)
    with running(dot, *units):
        assert not ended.wait(0.1)
        kept.clear()
        assert ended.wait(5)


def test_4_3_the_session_configuration_is_merged_for_each_node() -> None:
    def process(context: DataContext) -> UnitStatusCode:
        config = context.get_session_config()
        return push(context, ",".join(config.get_string(key, "-") for key in ("a", "b", "c", "nodes.a")))

    dot = """in[type=input]; out[type=output]; n[flowunit=u, device=cpu]; in -> n:in_1; n:out_1 -> out"""
    with running(dot, unit("u", process)) as flow:
        io = stream_of(flow)
        config = io.get_session_context().get_session_config()
        for key in ("nodes.a", "nodes.b", "nodes.c"):
            config.set(key, "all")
        for key in ("flowunit.u.b", "flowunit.u.c", "flowunit.other.a"):
            config.set(key, "unit")
        config.set("node.n.c", "node")
        config.set("node.other.a", "other")
        io.send("in", "x")
        io.close_input()
        assert received(io) == ["all,unit,node,-"]
