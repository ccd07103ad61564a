"""Spec 4.10: the table of what a returned status does, a test for each cell. Numbers and texts of the codes:
unitapi/test_5_4_status. What else ends a flow: test_spec_4_7."""

import pytest

from server.flow.unitapi import DataContext, Status, UnitStatusCode
from tests.flow.run.parts import returns
from tests.flow.run.programs import (
    CONTINUE,
    SUCCESS,
    ending_of,
    flow_of,
    how_it_ended,
    line,
    passes,
    received,
    results,
    running,
    sent,
    stream_of,
    unit,
)

CODES = UnitStatusCode
OTHERS = [CODES.STATUS_FAULT, CODES.STATUS_NODATA, CODES.STATUS_EOF]


def raises(context: DataContext) -> object:
    raise KeyError("gone")


@pytest.mark.parametrize("normal", [True, False])
@pytest.mark.parametrize("success", [SUCCESS, Status(), Status(True)])
def test_4_10_process_success_outputs_are_sent(normal: bool, success: object) -> None:
    assert results(line("u"), [unit("u", returns(success), normal=normal)], "a", "b") == ["a", "b"]


def test_4_10_process_continue_from_a_stream_unit_sends_its_outputs_and_keeps_the_stream_open() -> None:
    with running(line("u"), unit("u", returns(CONTINUE))) as flow:
        io = sent(flow, "a")
        assert str(io.recv("out", 5000)) == "a"
        assert io.recv("out", 100) is None
        assert not flow.wait(-1)


@pytest.mark.parametrize("normal", [True, False])
@pytest.mark.parametrize("code", [CODES.STATUS_STOP, CODES.STATUS_SHUTDOWN])
def test_4_10_process_stop_and_shutdown_end_the_flow_with_stop(code: UnitStatusCode, normal: bool) -> None:
    ending = ending_of(line("u"), [unit("u", returns(Status(code, "enough")), normal=normal)], "a")
    assert ending == CODES.STATUS_STOP
    assert "enough" in ending.errormsg()


@pytest.mark.parametrize("normal", [True, False])
@pytest.mark.parametrize("code", OTHERS)
def test_4_10_process_any_other_replaces_the_outputs_by_errors_and_the_flow_goes_on(
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


def test_4_10_process_exception_is_an_error_with_its_words() -> None:
    """A C++ exception ends the flow; of that of a Python unit 5.2 makes FAULT, without a message. Its words help
    whoever gets the reply."""
    with running(line("u"), unit("u", raises)) as flow:
        buffer = sent(flow, "a").recv("out", 5000)
        assert buffer is not None
        assert (buffer.get_error_code(), buffer.get_error_msg()) == ("u.ProcessError", "KeyError: 'gone'")


@pytest.mark.parametrize("nothing", [None, True, 3])
def test_4_10_process_no_status_ends_the_flow(nothing: object) -> None:
    ending = ending_of(line("u"), [unit("u", returns(nothing))], "a")
    assert ending == CODES.STATUS_STOP
    assert "neither a Status nor a Status.StatusCode" in ending.errormsg()


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (CONTINUE, CODES.STATUS_CONTINUE),
        (CODES.STATUS_STOP, CODES.STATUS_STOP),
        (CODES.STATUS_SHUTDOWN, CODES.STATUS_SHUTDOWN),
        (Status(CODES.STATUS_NODATA, "no"), CODES.STATUS_NODATA),
        (None, CODES.STATUS_FAULT),
    ],
)
def test_4_10_open_anything_but_success_fails_the_build_with_it(status: object, code: UnitStatusCode) -> None:
    flow = flow_of(line("u"), [unit("u", passes, opened=lambda config: status)])
    built = flow.build()
    assert built == code
    assert built.errormsg() == "build graph failed, please check graph config."
    assert "open flowunit 'u', type 'cpu' failed." in built.wrap_errormsgs()
    flow.stop()


def test_4_10_open_exception_is_fault() -> None:
    def opened(config: object) -> object:
        raise OSError("no camera")

    built = flow_of(line("u"), [unit("u", passes, opened=opened)]).build()
    assert built == CODES.STATUS_FAULT
    assert "no camera" in built.wrap_errormsgs()


@pytest.mark.parametrize(
    "status", [CONTINUE, CODES.STATUS_STOP, CODES.STATUS_SHUTDOWN, Status(CODES.STATUS_NODATA, "no"), None]
)
def test_4_10_data_pre_anything_but_success_is_one_error_for_the_stream(status: object) -> None:
    posts: list[str] = []

    def post(context: DataContext) -> UnitStatusCode:
        posts.append("post")
        return SUCCESS

    made = unit("u", passes, data_pre=lambda context: status, data_post=post)
    # one error for all of the stream's input; data_post is still called (spec 4.8)
    assert results(line("u"), [made], "a", "b", "c") == ["!u.DataPreError"]
    assert posts == ["post"]


def test_4_10_data_pre_exception_is_an_error_too() -> None:
    """A C++ exception ends the flow; of that of a Python unit 5.2 makes FAULT, which is the error path."""
    assert results(line("u"), [unit("u", passes, data_pre=raises)], "a") == ["!u.DataPreError"]


@pytest.mark.parametrize("status", [CONTINUE, Status(CODES.STATUS_NODATA, "no"), None])
def test_4_10_data_post_other_failures_are_only_logged(status: object, caplog: pytest.LogCaptureFixture) -> None:
    assert results(line("u"), [unit("u", passes, data_post=lambda context: status)], "a", "b") == ["a", "b"]
    assert "u.data_post" in caplog.text


def test_4_10_data_post_exception_is_only_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A C++ exception ends the flow; of that of a Python unit 5.2 makes FAULT, which is logged."""
    assert results(line("u"), [unit("u", passes, data_post=raises)], "a", "b") == ["a", "b"]
    assert "u.data_post" in caplog.text


@pytest.mark.parametrize(
    ("code", "end"),
    [(CODES.STATUS_STOP, CODES.STATUS_STOP), (CODES.STATUS_SHUTDOWN, CODES.STATUS_FAULT)],
)
def test_4_10_data_post_stop_and_shutdown_end_the_flow(code: UnitStatusCode, end: UnitStatusCode) -> None:
    made = unit("u", passes, data_post=lambda context: Status(code, "after all"))
    ending = ending_of(line("u"), [made], "a")
    assert ending == end
    assert "after all" in ending.errormsg()


@pytest.mark.parametrize(
    "status", [CONTINUE, CODES.STATUS_STOP, CODES.STATUS_SHUTDOWN, Status(CODES.STATUS_FAULT, "stuck"), "raise"]
)
def test_4_10_close_failures_are_only_logged(status: object, caplog: pytest.LogCaptureFixture) -> None:
    def close() -> object:
        if status == "raise":
            raise OSError("gone")
        return status

    with running(line("u"), unit("u", passes, closed=close)) as flow:
        assert received(sent(flow, "a")) == ["a"]
        assert flow.stop()
    assert "u.close" in caplog.text


def test_4_10_close_no_status_is_success(caplog: pytest.LogCaptureFixture) -> None:
    """Many units of users have a close without a return (spec 5.2)."""
    with running(line("u"), unit("u", passes, closed=lambda: None)) as flow:
        assert flow.stop()
    assert "u.close" not in caplog.text


def test_4_10_an_end_of_the_flow_is_told_to_whoever_waits_for_results() -> None:
    with running(line("u"), unit("u", returns(Status(CODES.STATUS_STOP, "enough")))) as flow:
        io = stream_of(flow)
        io.send("in", "a")
        buffer = io.create_buffer()
        status = io.recv("out", buffer, 5000)
        assert status == CODES.STATUS_INVALID
        assert "enough" in status.errormsg()
        assert how_it_ended(flow) == CODES.STATUS_STOP
        assert io.send("in", "b") == CODES.STATUS_STOP
