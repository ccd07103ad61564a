"""Spec 4.5: one test for each row of the table."""

import threading

from server.flow.unitapi import DataContext, FlowUnit, FlowUnitEvent, UnitStatusCode
from tests.flow.run.parts import CHOICE, Log, chooses, condition, fed, joins, letters, loop_flow, split
from tests.flow.run.programs import (
    COLLAPSE,
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


def test_4_5_normal_origin_gets_up_to_batch_size_buffers_mixed_over_sessions() -> None:
    log, first = Log(), threading.Event()

    def slow_first(context: DataContext) -> UnitStatusCode:
        first.wait(5)
        return log.passes(context)

    with running(line("mix", mix=", batch_size=4"), unit("mix", slow_first, normal=True)) as flow:
        # more calls than threads wait, so the rest is there when they go on
        sessions = [sent(flow, f"{number}a", f"{number}b") for number in range(8)]
        first.set()
        assert [received(io) for io in sessions] == [[f"{n}a", f"{n}b"] for n in range(8)]
    assert max(len(call) for call in log.calls) <= 4
    assert sorted(text for call in log.calls for text in call) == sorted(f"{n}{x}" for n in range(8) for x in "ab")


def test_4_5_normal_origin_batches_run_in_parallel() -> None:
    both = threading.Barrier(2)

    def meets(context: DataContext) -> UnitStatusCode:
        both.wait(5)
        return passes(context)

    assert results(line("meet"), [unit("meet", meets, normal=True, batch=1)], "a", "b") == ["a", "b"]


def test_4_5_stream_origin_gets_consecutive_buffers_of_one_stream_in_order() -> None:
    log = Log()
    numbers = [str(number) for number in range(50)]
    assert results(line("log"), [unit("log", log.passes, batch=8)], *numbers) == numbers
    assert [text for call in log.calls for text in call] == numbers
    assert max(len(call) for call in log.calls) <= 8


def test_4_5_condition_gets_exactly_one_whatever_batch_size_says() -> None:
    log = Log()

    def process(context: DataContext) -> UnitStatusCode:
        log.calls.append(texts(context))
        return chooses(context)

    dot = CHOICE.replace("choose[flowunit=choose", "choose[flowunit=choose, batch_size=9")
    assert results(dot, [condition(process), unit("p", passes, normal=True)], *"abcab") == [*"abcab"]
    assert log.calls == [[each] for each in "abcab"]


def test_4_5_normal_expand_gets_one_buffer_contexts_in_parallel() -> None:
    both, log = threading.Barrier(2), Log()

    def meets(context: DataContext) -> UnitStatusCode:
        log.calls.append(texts(context))
        both.wait(5)
        return letters(context)

    units = [unit("split", meets, normal=True, **EXPAND), unit("glue", Log().glues, normal=True, **COLLAPSE)]
    assert results(line("split", "glue"), units, "ab", "cd") == ["a+b", "c+d"]
    assert sorted(log.calls) == [["ab"], ["cd"]]


def test_4_5_stream_expand_gets_the_next_buffer_only_when_the_child_stream_is_finished() -> None:
    seen: list[str] = []

    def by_events(context: DataContext) -> UnitStatusCode:
        if context.event() is None:
            (text,) = texts(context)
            context.set_private_string("rest", text)
        rest = context.get_private_string("rest")
        seen.append(rest[0])
        push(context, rest[0])
        context.set_private_string("rest", rest[1:])
        if len(rest) == 1:
            return SUCCESS
        context.send_event(FlowUnitEvent())
        return CONTINUE

    units = [unit("split", by_events, **EXPAND), unit("glue", Log().glues, normal=True, **COLLAPSE)]
    assert results(line("split", "glue"), units, "abc", "de") == ["a+b+c", "d+e"]
    assert seen == [*"abcde"]


def test_4_5_collapse_all_true_gets_the_complete_child_stream_in_one_call() -> None:
    log = Log()
    units = [split(), unit("glue", log.glues, normal=True, **COLLAPSE)]
    assert results(line("split", "glue"), units, "abc", "d") == ["a+b+c", "d"]
    assert sorted(log.calls) == [["a", "b", "c"], ["d"]]


def test_4_5_collapse_all_false_gets_what_has_arrived_in_order() -> None:
    released, log, got = threading.Event(), Log(), threading.Event()

    def gathers(context: DataContext) -> UnitStatusCode:
        log.calls.append(texts(context))
        got.set()
        sum_so_far = (context.get_private("sum") if len(log.calls) > 1 else "") + "".join(texts(context))
        context.set_private("sum", sum_so_far)
        return push(context, sum_so_far) if len(sum_so_far) == 3 else SUCCESS

    def slow_tail(context: DataContext) -> UnitStatusCode:
        if texts(context) == ["c"]:
            got.wait(5)
            released.wait(5)
        return passes(context)

    units = [
        split(),
        unit("slow", slow_tail),
        unit("glue", gathers, normal=True, collapse_all=False, **COLLAPSE),
    ]
    with running(line("split", "slow", "glue"), *units) as flow:
        io = sent(flow, "abc")
        assert got.wait(5)
        released.set()
        assert received(io) == ["abc"]
    assert len(log.calls) > 1
    assert [text for call in log.calls for text in call] == [*"abc"]


def test_4_5_stream_collapse_gets_child_streams_in_order_of_their_parents() -> None:
    log = Log()

    def slow_first(context: DataContext) -> UnitStatusCode:
        if texts(context)[0] == "a":
            threading.Event().wait(0.05)
        return passes(context)

    units = [split(), unit("slow", slow_first, normal=True, batch=1), unit("glue", log.glues, **COLLAPSE)]
    assert results(line("split", "slow", "glue"), units, "ab", "cd", "e") == ["a+b", "c+d", "e"]
    assert log.calls == [["a", "b"], ["c", "d"], ["e"]]


def test_4_5_loop_gets_the_whole_stream() -> None:
    log = Log()
    dot, units = loop_flow(log)
    assert results(dot, units, "a", "bb", "c") == ["axxx", "bbxxx", "cxxx"]
    assert log.calls == [["a", "bb", "c"], ["ax", "bbx", "cx"], ["axx", "bbxx", "cxx"], ["axxx", "bbxxx", "cxxx"]]


def test_4_5_source_unit_gets_all_queued_external_buffers_and_no_inputs() -> None:
    seen: list[tuple[object, list[str]]] = []

    def process(context: DataContext) -> UnitStatusCode:
        external = context.external()
        assert external is not None
        seen.append((context.input("in_1"), [str(each) for each in external]))
        return push(context, *external)

    def feed(source: FlowUnit) -> None:
        external = source.create_external_data()
        assert external is not None
        assert external.send(list_of("a", "b"))
        assert external.send(list_of("c"))
        external.close()

    ended = threading.Event()
    dot, units = fed(feed, lambda context: SUCCESS, process, data_post=lambda context: ended.set() or SUCCESS)
    with running(dot, *units):
        assert ended.wait(5)
    assert seen == [(None, ["a", "b", "c"])]


def test_4_5_an_event_call_of_a_source_unit_has_an_empty_external_list() -> None:
    seen: list[tuple[bool, int]] = []
    done = threading.Event()

    def process(context: DataContext) -> UnitStatusCode:
        external = context.external()
        assert external is not None
        seen.append((context.event() is not None, len(external)))
        if len(seen) == 3:
            done.set()
            return SUCCESS
        context.send_event(FlowUnitEvent())
        return CONTINUE

    def feed(source: FlowUnit) -> None:
        external = source.create_external_data()
        assert external is not None
        assert external.send(list_of("a", "b"))

    dot, units = fed(feed, lambda context: SUCCESS, process)
    with running(dot, *units):
        assert done.wait(5)
    assert seen == [(False, 2), (True, 0), (True, 0)]


def test_4_5_an_event_call_has_empty_input_lists() -> None:
    lengths: list[int] = []

    def process(context: DataContext) -> UnitStatusCode:
        if context.event() is None:
            context.send_event(FlowUnitEvent())
            return CONTINUE
        buffers = context.input("in_1")
        assert buffers is not None
        lengths.append(len(buffers))
        return push(context, "event")

    assert results(line("events"), [unit("events", process)], "a") == ["event"]
    assert lengths == [0]


def test_4_5_position_i_of_every_port_belongs_together() -> None:
    units = [unit("slow", passes, batch=3), unit("join", joins, normal=True, inputs=("in_1", "in_2"))]
    dot = """in[type=input]; out[type=output]; slow[flowunit=slow, device=cpu]; join[flowunit=join, device=cpu];
        in -> slow:in_1; in -> join:in_1; slow:out_1 -> join:in_2; join:out_1 -> out"""
    assert results(dot, units, *"abcdefghij") == [f"{each}{each}" for each in "abcdefghij"]
