"""Spec 4.12: sessions of programs. Unknown ports, closed inputs, dropped objects: sdk/test_spec_5_13.

Sessions have no statistics of their own here, so none is removed at their end; what else a session has is.
"""

import threading

from server.flow.sdk import ExtOutputBufferList
from server.flow.unitapi import DataContext, UnitStatusCode
from tests.flow.run.parts import Log, condition, glue, joins, loop_flow, split, spoils
from tests.flow.run.programs import (
    ending_of,
    holds_open,
    line,
    list_of,
    passes,
    push,
    received,
    running,
    sent,
    stream_of,
    texts,
    unit,
)


def test_4_12_a_session_ends_when_nothing_of_it_is_left_with_eof_or_with_its_error() -> None:
    with running(line("spoil"), spoils("b")) as flow:
        for text, end in (("a", UnitStatusCode.STATUS_EOF), ("b", UnitStatusCode.STATUS_INVALID)):
            io = sent(flow, text)
            buffer = io.create_buffer()
            assert io.recv("out", buffer, 5000)
            status = io.recv("out", buffer, 5000)
            assert status == end
            assert ("b is bad" in status.errormsg()) == (text == "b")


def test_4_12_nothing_of_a_session_is_left_at_its_end() -> None:
    loop, loop_units = loop_flow(Log())
    loop = loop.replace("in[type=input]; out[type=output];", "").replace("turn:done -> out", "turn:done -> j:in_1")
    dot = f"""in[type=input]; out[type=output]; choose[flowunit=choose]; p[flowunit=p]; split[flowunit=split]
        glue[flowunit=glue]; j[flowunit=join]; in -> choose:in_1; choose:yes -> p:in_1; choose:no -> p:in_1
        p:out_1 -> split:in_1; split:out_1 -> glue:in_1; glue:out_1 -> j:in_2; {loop}; j:out_1 -> out"""
    join = unit("join", joins, inputs=("in_1", "in_2"), normal=True)
    units = [condition(), unit("p", passes, normal=True), split(), glue(), join, *loop_units]
    with running(dot, *units) as flow:
        for texts_of_one in (["ab", "c"], [], ["b"]):
            received(sent(flow, *texts_of_one))
        assert flow._thread is not None
        inner = flow._thread._flow
        left = [
            (node.name, key, value)
            for node in inner._nodes.values()
            for part in (node, *node.inputs)
            for key, value in vars(part).items()
            if key in KEPT and value
        ]
        matchers = [getattr(node, "_matcher", None) for node in inner._nodes.values()]
        assert left == []
        assert not any(matcher._scopes for matcher in matchers if matcher is not None)
        assert not inner._scheduler.parked


KEPT = {"_streams", "_parts", "_rows", "_lines", "_metas", "_branches", "_orders", "_feeds", "_outlets", "_joins"}
"""What nodes and ports have of each session."""


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


def test_4_12_shutdown_ends_a_stream_that_continue_keeps_open_and_the_error_is_eof() -> None:
    with running(line("u"), unit("u", holds_open)) as flow:
        session = flow.create_external_data_map()
        assert session is not None
        session.send("in", list_of("a"))
        session.close()
        output = ExtOutputBufferList()
        assert session.recv(output)
        session.shutdown()
        assert session.recv(output) == UnitStatusCode.STATUS_INVALID
        error = session.get_last_error()
        assert error is not None
        assert error.get_description() == "EOF"


def test_4_12_with_several_inputs_data_waits_until_every_input_has_a_buffer_there() -> None:
    """A rest that never gets a partner is told: in the original it is lost without a word."""
    dot = """one[type=input]; two[type=input]; out[type=output]; j[flowunit=j, device=cpu]
        one -> j:in_1; two -> j:in_2; j:out_1 -> out"""
    with running(dot, unit("j", joins, inputs=("in_1", "in_2"))) as flow:
        io = stream_of(flow)
        io.send("one", "a")
        io.send("one", "b")
        assert io.recv("out", 50) is None
        io.send("two", "1")
        assert str(io.recv("out", 5000)) == "a1"
        io.close_input()
        buffer = io.create_buffer()
        status = io.recv("out", buffer, 5000)
        assert status == UnitStatusCode.STATUS_INVALID
        assert "the inputs one got more buffers" in status.errormsg()


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
