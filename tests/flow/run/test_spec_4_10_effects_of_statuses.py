"""Spec 4.10: the table of what a returned status does, by method; 4.7 and 3.4: what else ends a flow."""

import pytest

from server.flow.description import ConditionType
from server.flow.unitapi import DataContext, Status, UnitStatusCode
from tests.flow.run.programs import (
    COLLAPSE,
    CONTINUE,
    EXPAND,
    SUCCESS,
    Method,
    Unit,
    ending_of,
    flow_of,
    how_it_ended,
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

CODES = UnitStatusCode
OTHERS = [CODES.STATUS_FAULT, CODES.STATUS_NODATA, CODES.STATUS_EOF]


def returns(status: object) -> Method:
    def process(context: DataContext) -> object:
        passes(context)
        return status

    return process


def raises(context: DataContext) -> object:
    raise KeyError("gone")


@pytest.mark.parametrize("normal", [True, False])
@pytest.mark.parametrize("success", [SUCCESS, Status(), Status(True)])
def test_process_success_outputs_are_sent(normal: bool, success: object) -> None:
    assert results(line("u"), [unit("u", returns(success), normal=normal)], "a", "b") == ["a", "b"]


def test_process_continue_from_a_stream_unit_sends_its_outputs_and_keeps_the_stream_open() -> None:
    with running(line("u"), unit("u", returns(CONTINUE))) as flow:
        io = sent(flow, "a")
        assert str(io.recv("out", 5000)) == "a"
        assert io.recv("out", 100) is None
        assert not flow.wait(-1)


@pytest.mark.parametrize("normal", [True, False])
@pytest.mark.parametrize("code", [CODES.STATUS_STOP, CODES.STATUS_SHUTDOWN])
def test_process_stop_and_shutdown_end_the_flow_with_stop(code: UnitStatusCode, normal: bool) -> None:
    ending = ending_of(line("u"), [unit("u", returns(Status(code, "enough")), normal=normal)], "a")
    assert ending == CODES.STATUS_STOP
    assert "enough" in ending.errormsg()


@pytest.mark.parametrize("normal", [True, False])
@pytest.mark.parametrize("code", OTHERS)
def test_process_any_other_replaces_the_outputs_by_errors_and_the_flow_goes_on(
    code: UnitStatusCode, normal: bool
) -> None:
    made = unit("u", returns(Status(code, "why")), normal=normal)
    with running(line("u"), made) as flow:
        for _ in range(2):
            io = sent(flow, "a")
            buffer = io.recv("out", 5000)
            assert buffer is not None
            assert (buffer.get_error_code(), buffer.get_error_msg()) == ("u.ProcessError", "why")
        assert flow.wait(-1) == CODES.STATUS_BUSY


def test_process_exception_is_an_error_with_its_words() -> None:
    # ModelBox's Python binding leaves the message empty (spec 5.2); the words help whoever reads the reply
    with running(line("u"), unit("u", raises)) as flow:
        buffer = sent(flow, "a").recv("out", 5000)
        assert buffer is not None
        assert (buffer.get_error_code(), buffer.get_error_msg()) == ("u.ProcessError", "KeyError: 'gone'")


@pytest.mark.parametrize("nothing", [None, True, 3])
def test_process_no_status_ends_the_flow(nothing: object) -> None:
    ending = ending_of(line("u"), [unit("u", returns(nothing))], "a")
    assert ending == CODES.STATUS_STOP
    assert "neither a Status nor a Status.StatusCode" in ending.errormsg()


@pytest.mark.parametrize(
    "status", [CONTINUE, CODES.STATUS_STOP, CODES.STATUS_SHUTDOWN, Status(CODES.STATUS_NODATA, "no"), None]
)
def test_open_anything_but_success_fails_the_build(status: object) -> None:
    flow = flow_of(line("u"), [unit("u", passes, opened=lambda config: status)])
    built = flow.build()
    assert not built
    assert built.errormsg() == "build graph failed, please check graph config."
    assert "open flowunit 'u', type 'cpu' failed." in built.wrap_errormsgs()
    flow.stop()


def test_open_exception_is_fault() -> None:
    def opened(config: object) -> object:
        raise OSError("no camera")

    built = flow_of(line("u"), [unit("u", passes, opened=opened)]).build()
    assert built == CODES.STATUS_FAULT
    assert "no camera" in built.wrap_errormsgs()


@pytest.mark.parametrize(
    "status", [CONTINUE, CODES.STATUS_STOP, CODES.STATUS_SHUTDOWN, Status(CODES.STATUS_NODATA, "no"), None]
)
def test_data_pre_anything_but_success_is_one_error_for_the_stream(status: object) -> None:
    posts: list[str] = []

    def post(context: DataContext) -> UnitStatusCode:
        posts.append("post")
        return SUCCESS

    made = unit("u", passes, data_pre=lambda context: status, data_post=post)
    # one error for all of the stream's input; data_post is still called (spec 4.8)
    assert results(line("u"), [made], "a", "b", "c") == ["!u.DataPreError"]
    assert posts == ["post"]


def test_data_pre_exception_is_an_error_too() -> None:
    # 4.10 has a C++ exception end the flow; for Python units 5.2 makes FAULT of it, which is the error path
    assert results(line("u"), [unit("u", passes, data_pre=raises)], "a") == ["!u.DataPreError"]


@pytest.mark.parametrize("status", [CONTINUE, Status(CODES.STATUS_NODATA, "no"), None])
def test_data_post_other_failures_are_only_logged(status: object) -> None:
    assert results(line("u"), [unit("u", passes, data_post=lambda context: status)], "a", "b") == ["a", "b"]


@pytest.mark.parametrize(
    ("code", "end"),
    [(CODES.STATUS_STOP, CODES.STATUS_STOP), (CODES.STATUS_SHUTDOWN, CODES.STATUS_FAULT)],
)
def test_data_post_stop_and_shutdown_end_the_flow(code: UnitStatusCode, end: UnitStatusCode) -> None:
    made = unit("u", passes, data_post=lambda context: Status(code, "after all"))
    ending = ending_of(line("u"), [made], "a")
    assert ending == end
    assert "after all" in ending.errormsg()


@pytest.mark.parametrize("status", [CONTINUE, CODES.STATUS_STOP, CODES.STATUS_FAULT, None])
def test_close_failures_are_only_logged(status: object) -> None:
    closed: list[str] = []

    def close() -> object:
        closed.append("closed")
        return status

    with running(line("u"), unit("u", passes, closed=close)) as flow:
        assert received(sent(flow, "a")) == ["a"]
        assert flow.stop()
    assert closed == ["closed"]


def test_4_7_a_normal_unit_must_give_as_many_as_it_got() -> None:
    made = unit("u", lambda context: push(context, "x"), normal=True, batch=1)
    none = unit("none", lambda context: SUCCESS, normal=True)
    assert results(line("u"), [made], "a") == ["x"]
    ending = ending_of(line("none"), [none], "a")
    assert ending == CODES.STATUS_STOP
    assert "input buffer count 1 should equal output buffer count 0" in ending.errormsg()


@pytest.mark.parametrize("ports", [(), ("yes", "no"), ("yes", "yes")])
def test_4_7_a_condition_must_put_each_buffer_on_exactly_one_port(ports: tuple[str, ...]) -> None:
    def process(context: DataContext) -> UnitStatusCode:
        for port in ports:
            push(context, "x", port=port)
        return SUCCESS

    made = unit("c", process, normal=True, outputs=("yes", "no"), condition=ConditionType.IF_ELSE)
    dot = """in[type=input]; out[type=output]; c[flowunit=c, device=cpu]; p[flowunit=p, device=cpu];
        in -> c:in_1; c:yes -> p:in_1; c:no -> p:in_1; p:out_1 -> out"""
    assert ending_of(dot, [made, unit("p", passes, normal=True)], "a") == CODES.STATUS_STOP


def test_4_7_a_collapse_must_not_give_more_than_one() -> None:
    two = unit("two", lambda context: push(context, "x", "y"), normal=True, **COLLAPSE)
    ending = ending_of(line("split", "two"), [unit("split", passes, normal=True, **EXPAND), two], "a")
    assert ending == CODES.STATUS_STOP
    assert "should generate one buffer for one stream collapse" in ending.errormsg()


def uneven(context: DataContext) -> UnitStatusCode:
    push(context, "x", port="one")
    return push(context, "x", "y", port="two")


def two_ports(options: str) -> tuple[str, list[Unit]]:
    units = [
        unit("u", uneven, outputs=("one", "two")),
        unit("join", lambda context: push(context, "j"), inputs=("in_1", "in_2")),
    ]
    dot = f"""in[type=input]; out[type=output]
        u[flowunit=u, device=cpu {options}]; join[flowunit=join, device=cpu]
        in -> u:in_1; u:one -> join:in_1; u:two -> join:in_2; join:out_1 -> out"""
    return dot, units


def test_4_7_need_check_output_verifies_that_ports_have_equal_counts() -> None:
    ending = ending_of(*two_ports(", need_check_output=true"), "a")
    assert ending == CODES.STATUS_STOP
    assert "data is not same with other port" in ending.errormsg()


def test_3_4_streams_of_different_lengths_that_meet_end_the_flow_with_fault() -> None:
    ending = ending_of(*two_ports(""), "a")
    assert ending == CODES.STATUS_FAULT
    assert "missmatch" in ending.errormsg()


def test_4_7_the_same_buffer_may_be_pushed_twice() -> None:
    def twice(context: DataContext) -> UnitStatusCode:
        passes(context)
        return passes(context)

    assert results(line("u"), [unit("u", twice)], "a", "b") == ["a", "a", "b", "b"]


def test_4_7_a_stream_call_without_outputs_is_legal_and_so_is_the_end() -> None:
    def odd(context: DataContext) -> UnitStatusCode:
        return push(context, *(text for text in texts(context) if int(text) % 2))

    assert results(line("u"), [unit("u", odd)], *"123456") == ["1", "3", "5"]
    assert results(line("u"), [unit("u", lambda context: SUCCESS)], *"123") == []


def test_4_7_continue_from_a_normal_unit_loses_its_outputs_and_nothing_else() -> None:
    # a hole in the original, for which everything behind waits for ever
    def process(context: DataContext) -> UnitStatusCode:
        passes(context)
        return CONTINUE if texts(context) == ["b"] else SUCCESS

    units = [unit("u", process, normal=True, batch=1), unit("v", passes)]
    assert results(line("u", "v"), units, *"abc") == ["a", "c"]


def test_an_end_of_the_flow_is_told_to_whoever_waits_for_results() -> None:
    with running(line("u"), unit("u", returns(Status(CODES.STATUS_STOP, "enough")))) as flow:
        io = stream_of(flow)
        io.send("in", "a")
        buffer = io.create_buffer()
        status = io.recv("out", buffer, 5000)
        assert status == CODES.STATUS_INVALID
        assert "enough" in status.errormsg()
        assert how_it_ended(flow) == CODES.STATUS_STOP
        assert io.send("in", "b") == CODES.STATUS_STOP
