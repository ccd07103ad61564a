"""Spec 4.3 (contexts, metas, session configuration), 4.4 (loop), 4.8, 4.9, 4.11, 4.12: a test each statement."""

import threading

from server.flow.description import ConditionType
from server.flow.sdk import ExtOutputBufferList
from server.flow.unitapi import Buffer, DataContext, DataMeta, FlowUnitEvent, Status, UnitStatusCode
from tests.flow.run.programs import (
    COLLAPSE,
    CONTINUE,
    EXPAND,
    SUCCESS,
    Unit,
    ending_of,
    holds_open,
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
from tests.flow.run.test_spec_4_5_what_a_call_receives import Log, letters, loop_flow


def split() -> Unit:
    return unit("split", letters, normal=True, **EXPAND)


def glue(**more: object) -> Unit:
    return unit("glue", Log().glues, normal=True, **COLLAPSE, **more)


def spoils(text: str) -> Unit:
    """Sets an error on the buffers with this text."""

    def process(context: DataContext) -> UnitStatusCode:
        for each in texts(context):
            buffer = Buffer(None, each)
            if each == text:
                buffer.set_error("Spoilt", f"{each} is bad")
            push(context, buffer)
        return SUCCESS

    return unit("spoil", process, normal=True)


def meta_of(**values: str) -> DataMeta:
    meta = DataMeta()
    for key, value in values.items():
        meta.set_private_string(key, value)
    return meta


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


def test_4_3_a_unit_overrides_metas_by_its_first_set_output_meta_before_the_first_output() -> None:
    def pre(context: DataContext) -> UnitStatusCode:
        context.set_output_meta("out_1", meta_of(who="first"))
        context.set_output_meta("out_1", meta_of(who="second"))
        return SUCCESS

    def reads(context: DataContext) -> UnitStatusCode:
        meta = context.get_input_meta("in_1")
        return push(context, meta.get_private_string("who") if meta else "nobody")

    units = [unit("set", passes, data_pre=pre), split(), unit("read", reads), glue()]
    assert results(line("set", "split", "read", "glue"), units, "ab") == ["first+first"]


def test_4_4_a_loop_unit_chooses_for_each_stream() -> None:
    log = Log()
    dot, units = loop_flow(log)
    with running(dot, *units) as flow:
        sessions = [sent(flow, "a", "b"), sent(flow, "cxx"), sent(flow, "dxxx"), sent(flow)]
        assert [received(io) for io in sessions] == [["axxx", "bxxx"], ["cxxx"], ["dxxx"], []]


def test_4_4_what_leaves_a_loop_is_matched_with_what_came_before_it() -> None:
    dot, units = loop_flow(Log())
    dot = dot.replace("turn:done -> out", "turn:done -> pair:in_1; in -> pair:in_2; pair:out_1 -> out")

    def pairs(context: DataContext) -> UnitStatusCode:
        both = zip(texts(context), texts(context, "in_2"), strict=True)
        return push(context, *(f"{one}/{two}" for one, two in both))

    units = [*units, unit("pair", pairs, normal=True, inputs=("in_1", "in_2"))]
    dot += "; pair[flowunit=pair, device=cpu]"
    assert results(dot, units, "a", "b") == ["axxx/a", "bxxx/b"]


def test_4_4_a_loop_unit_must_put_the_whole_stream_on_one_port() -> None:
    def halves(context: DataContext) -> UnitStatusCode:
        push(context, "a", port="again")
        return push(context, "b", port="done")

    dot, (_, add) = loop_flow(Log())
    turn = unit("turn", halves, normal=True, outputs=("again", "done"), condition=ConditionType.LOOP)
    ending = ending_of(dot, [turn, add], "a", "b")
    assert ending == UnitStatusCode.STATUS_STOP
    assert "1 on again, 1 on done" in ending.errormsg()


def test_4_4_errors_leave_a_loop_instead_of_going_round_for_ever() -> None:
    # 4.11 has them leave by the first port in name order, which may be the way back
    dot, units = loop_flow(Log())
    dot = dot.replace("in -> turn:in_1", "in -> spoil:in_1; spoil:out_1 -> turn:in_1")
    dot += "; spoil[flowunit=spoil, device=cpu]"
    assert results(dot, [*units, spoils("b")], "a", "b", "c") == ["axxx", "!Spoilt", "cxxx"]
    assert results(dot, [*units, spoils("b")], "b") == ["!Spoilt"]


def test_4_8_an_empty_stream_is_only_passed_on() -> None:
    calls: list[str] = []

    def note(context: DataContext) -> UnitStatusCode:
        calls.append("called")
        return SUCCESS

    assert results(line("u"), [unit("u", note, data_pre=note, data_post=note)]) == []
    assert calls == []


def test_4_8_data_pre_sees_the_first_buffer_and_has_no_outputs() -> None:
    seen: list[object] = []

    def pre(context: DataContext) -> UnitStatusCode:
        seen.extend((texts(context), context.output("out_1"), context.external()))
        return SUCCESS

    results(line("u"), [unit("u", passes, data_pre=pre)], "a", "b")
    assert seen == [["a"], None, None]


def test_4_8_pre_and_post_are_not_called_for_normal_units() -> None:
    def never(context: DataContext) -> UnitStatusCode:
        raise AssertionError

    made = unit("u", passes, normal=True, data_pre=never, data_post=never)
    assert results(line("u"), [made], "a", "b") == ["a", "b"]


def test_4_9_events_keep_the_stream_open_until_a_call_succeeds_without_one() -> None:
    posts: list[str] = []

    def process(context: DataContext) -> UnitStatusCode:
        event = context.event()
        left = event.get_private_int("left") if event else 3
        push(context, str(left))
        if left == 1:
            return SUCCESS
        again = FlowUnitEvent()
        again.set_private_int("left", left - 1)
        context.send_event(again)
        return CONTINUE

    def post(context: DataContext) -> UnitStatusCode:
        posts.append("post")
        return SUCCESS

    assert results(line("u"), [unit("u", process, data_post=post)], "go") == ["3", "2", "1"]
    assert posts == ["post"]


def test_4_9_events_are_ignored_for_normal_and_collapse_units() -> None:
    def sends(context: DataContext) -> UnitStatusCode:
        assert context.event() is None
        context.send_event(FlowUnitEvent())
        return push(context, "+".join(texts(context)))

    units = [unit("u", sends, normal=True, batch=1), split(), unit("glue", sends, normal=True, **COLLAPSE)]
    assert results(line("u", "split", "glue"), units, "ab", "c") == ["a+b", "c"]


def test_4_11_an_error_skips_units_that_do_not_see_it_and_keeps_its_place() -> None:
    log = Log()
    units = [spoils("b"), unit("log", log.passes, normal=True)]
    assert results(line("spoil", "log"), units, *"abc") == ["a", "!Spoilt", "c"]
    assert [text for call in log.calls for text in call] == ["a", "c"]


def test_4_11_exception_visible_units_get_errors_as_inputs() -> None:
    def process(context: DataContext) -> UnitStatusCode:
        assert context.has_error() == any(text.startswith("!") for text in texts(context))
        return push(context, *texts(context))

    units = [spoils("b"), unit("sees", process, exception_visible=True)]
    assert results(line("spoil", "sees"), units, *"abc") == ["a", "!Spoilt", "c"]


def test_4_11_an_error_at_a_condition_leaves_by_its_first_port_by_name() -> None:
    condition = unit(
        "c",
        lambda context: push(context, *texts(context), port="x"),
        outputs=("x", "b"),
        normal=True,
        condition=ConditionType.IF_ELSE,
    )
    dot = """in[type=input]; bees[type=output, output_type=unmatch]; xes[type=output]
        spoil[flowunit=spoil, device=cpu]; c[flowunit=c, device=cpu]
        in -> spoil:in_1; spoil:out_1 -> c:in_1; c:b -> bees; c:x -> xes"""
    with running(dot, spoils("2"), condition) as flow:
        io = sent(flow, "1", "2", "3")
        assert received(io, "bees") == ["!Spoilt"]
        assert received(io, "xes") == ["1", "3"]


def test_4_11_one_error_in_a_child_stream_is_the_result_of_the_collapse() -> None:
    log = Log()
    units = [split(), spoils("b"), unit("glue", log.glues, normal=True, **COLLAPSE)]
    assert results(line("split", "spoil", "glue"), units, "abc", "de") == ["!Spoilt", "d+e"]
    assert log.calls == [["d", "e"]]


def test_4_11_an_error_that_reaches_the_output_node_is_delivered_and_is_the_last_error() -> None:
    with running(line("spoil"), spoils("b")) as flow:
        session = flow.create_external_data_map()
        assert session is not None
        session.send("in", list_of("a", "b"))
        session.close()
        io_status = UnitStatusCode.STATUS_SUCCESS
        output = ExtOutputBufferList()
        while io_status == UnitStatusCode.STATUS_SUCCESS:
            io_status = session.recv(output).code()
        assert io_status == UnitStatusCode.STATUS_INVALID
        error = session.get_last_error()
        assert error is not None
        assert error.get_description() == "b is bad"
        buffers = output.get_buffer_list("out")
        assert buffers is not None
        assert [buffer.has_error() for buffer in buffers] == [False, True]


def test_4_12_shutdown_ends_a_stream_that_continue_keeps_open() -> None:
    with running(line("u"), unit("u", holds_open)) as flow:
        session = flow.create_external_data_map()
        assert session is not None
        session.send("in", list_of("a"))
        session.close()
        output = ExtOutputBufferList()
        assert session.recv(output)
        session.shutdown()
        status = session.recv(output)
        assert status == UnitStatusCode.STATUS_INVALID
        error = session.get_last_error()
        assert error is not None
        assert error.get_description() == "EOF"


def test_4_12_close_lets_what_was_sent_drain() -> None:
    released = threading.Event()

    def waits(context: DataContext) -> UnitStatusCode:
        released.wait(5)
        return passes(context)

    with running(line("u"), unit("u", waits)) as flow:
        io = sent(flow, *"abc")
        assert io.send("in", "d") == UnitStatusCode.STATUS_STOP
        released.set()
        assert received(io) == [*"abc"]


def test_4_12_with_several_inputs_data_waits_until_every_input_has_a_buffer_there() -> None:
    dot = """one[type=input]; two[type=input]; out[type=output]; j[flowunit=j, device=cpu]
        one -> j:in_1; two -> j:in_2; j:out_1 -> out"""

    def joins(context: DataContext) -> UnitStatusCode:
        return push(context, *(a + b for a, b in zip(texts(context), texts(context, "in_2"), strict=True)))

    with running(dot, unit("j", joins, inputs=("in_1", "in_2"))) as flow:
        io = stream_of(flow)
        io.send("one", "a")
        io.send("one", "b")
        assert io.recv("out", 50) is None
        io.send("two", "1")
        assert str(io.recv("out", 5000)) == "a1"
        io.close_input()
        # the second buffer of `one` never gets a partner; that is told
        buffer = io.create_buffer()
        status = io.recv("out", buffer, 5000)
        assert status == UnitStatusCode.STATUS_INVALID
        assert "the inputs one got more buffers" in status.errormsg()


def test_4_13_process_runs_on_threads_and_open_of_different_nodes_in_parallel() -> None:
    both = threading.Barrier(2)
    threads: set[str] = set()

    def opened(config: object) -> Status:
        both.wait(5)
        return Status()

    def process(context: DataContext) -> UnitStatusCode:
        threads.add(threading.current_thread().name)
        return passes(context)

    units = [unit("a", process, opened=opened), unit("b", process, opened=opened)]
    assert results(line("a", "b"), units, "x") == ["x"]
    assert not threads & {"MainThread", "flow-loop"}


def test_2_6_match_synchronises_outputs_and_unmatch_delivers_each_for_itself() -> None:
    def odd(context: DataContext) -> UnitStatusCode:
        return push(context, *(text for text in texts(context) if text in "ac"))

    dot = """in[type=input]; all[type=output, output_type=unmatch]; some[type=output]
        odd[flowunit=odd, device=cpu]; p[flowunit=p, device=cpu]
        in -> odd:in_1; in -> p:in_1; odd:out_1 -> some; p:out_1 -> all"""
    units = [unit("odd", odd), unit("p", passes, normal=True)]
    with running(dot, *units) as flow:
        io = sent(flow, *"abcd")
        assert received(io, "all") == [*"abcd"]
        assert received(io, "some") == ["a", "c"]
    ending = ending_of(dot.replace("unmatch", "match"), units, *"abcd")
    assert ending == UnitStatusCode.STATUS_FAULT
    assert "missmatch" in ending.errormsg()


def test_4_6_a_full_external_queue_holds_the_sender_back() -> None:
    released, sent_all = threading.Event(), threading.Event()

    def waits(context: DataContext) -> UnitStatusCode:
        released.wait(5)
        return passes(context)

    dot = line("u", u=", queue_size=1").replace("in[type=input]", "in[type=input, queue_size_external=4]")
    with running(dot, unit("u", waits)) as flow:
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

    def waits(context: DataContext) -> UnitStatusCode:
        released.wait(5)
        return passes(context)

    dot = line("u", u=", queue_size=1").replace("in[type=input]", "in[type=input, queue_size_external=4]")
    with running(dot, unit("u", waits)) as flow:
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
