"""Spec 5.13: ExternalDataMap, ExtOutputBufferList and FlowStreamIO."""

import gc
import threading

import numpy as np
import pytest

from server.flow.sdk import ExternalDataMap, ExtOutputBufferList, Flow
from server.flow.unitapi import DataContext, DataMeta, FlowUnitError, Status, UnitStatusCode
from tests.flow.run.programs import (
    holds_open,
    line,
    list_of,
    passes,
    push,
    running,
    sent,
    stream_of,
    unit,
)

CODES = UnitStatusCode


def test_5_13_external_data_map_sends_and_receives_lists() -> None:
    with running(line("u"), unit("u", passes)) as flow:
        session = flow.create_external_data_map()
        assert session is not None
        buffers = session.create_buffer_list()
        buffers.push_back("a")
        buffers.push_back(np.arange(3, dtype=np.int32))
        assert session.send("in", buffers)
        refused = session.send("nowhere", buffers)
        assert refused == CODES.STATUS_INVALID
        assert "Send Port nowhere is not exist" in refused.errormsg()
        output = ExtOutputBufferList()
        while len(output.get_buffer_list("out") or ()) < 2:
            assert session.recv(output)
        # another recv appends
        assert session.send("in", list_of("c"))
        assert session.recv(output)
        assert session.close()
        assert session.send("in", buffers) == CODES.STATUS_STOP
        received_list = output.get_buffer_list("out")
        assert received_list is not None
        assert len(received_list) == 3
        assert str(received_list[0]) == "a"
        assert np.asarray(received_list[1]).tolist() == [0, 1, 2]
        assert output.get_buffer_list("nowhere") is None
        assert session.recv(output) == CODES.STATUS_EOF
        assert session.get_last_error() is None


def session_of(flow: Flow) -> ExternalDataMap:
    session = flow.create_external_data_map()
    assert session is not None
    return session


def test_5_13_recv_waits_for_a_result() -> None:
    with running(line("u"), unit("u", passes)) as flow:
        session, output = session_of(flow), ExtOutputBufferList()
        threading.Timer(0.1, lambda: session.send("in", list_of("late"))).start()
        assert session.recv(output)
        assert [str(buffer) for buffer in output.get_buffer_list("out") or ()] == ["late"]


def test_5_13_set_output_meta_is_the_meta_of_the_stream() -> None:
    def tells(context: DataContext) -> UnitStatusCode:
        meta = context.get_input_meta("in_1")
        return push(context, meta.get_private_string("camera") if meta else "none")

    with running(line("u"), unit("u", tells)) as flow:
        session, meta, output = session_of(flow), DataMeta(), ExtOutputBufferList()
        meta.set_private_string("camera", "front door")
        assert session.set_output_meta("in", meta)
        assert session.set_output_meta("nowhere", meta) == CODES.STATUS_INVALID
        assert session.send("in", list_of("a"))
        assert session.recv(output)
        assert [str(buffer) for buffer in output.get_buffer_list("out") or ()] == ["front door"]


def test_5_13_get_last_error() -> None:
    def fails(context: DataContext) -> Status:
        return Status(CODES.STATUS_BUSY, "full")

    with running(line("u"), unit("u", fails)) as flow:
        session, output = session_of(flow), ExtOutputBufferList()
        assert session.get_last_error() is None
        assert session.send("in", list_of("a"))
        assert session.close()
        assert session.recv(output)
        while ended := session.recv(output):
            assert ended
        assert ended == CODES.STATUS_INVALID
        error = session.get_last_error()
        assert isinstance(error, FlowUnitError)
        assert "full" in error.get_description()


def test_5_13_shutdown_of_an_external_data_map() -> None:
    with running(line("u"), unit("u", holds_open)) as flow:
        session, output = session_of(flow), ExtOutputBufferList()
        assert session.send("in", list_of("a"))
        assert session.recv(output)
        assert session.shutdown()
        assert session.send("in", list_of("b")) == CODES.STATUS_STOP
        assert session.recv(output) == CODES.STATUS_INVALID
        error = session.get_last_error()
        assert error is not None
        assert error.get_description() == "EOF"


@pytest.mark.parametrize(
    ("data", "size"), [("text", 4), (np.zeros(3, np.int16), 6), (b"ab", 2)], ids=["str", "numpy", "bytes"]
)
def test_5_13_stream_io_creates_buffers(data: object, size: int) -> None:
    with running(line("u"), unit("u", passes)) as flow:
        assert stream_of(flow).create_buffer(data).get_bytes() == size


def test_5_13_stream_io_sends_and_receives_buffers() -> None:
    with running(line("u"), unit("u", passes)) as flow:
        io = stream_of(flow)
        assert io.create_buffer().get_bytes() == 0
        made = io.create_buffer("text")
        made.set("key", 1)
        for data in (made, np.float32([1.5]), "plain"):
            assert io.send("in", data)
        filled = io.create_buffer()
        assert io.recv("out", filled)
        assert str(filled) == "text"
        assert filled.get("key") == 1
        buffer = io.recv("out", 5000)
        assert buffer is not None
        assert np.asarray(buffer).tolist() == [1.5]
        assert str(io.recv("out")) == "plain"
        assert io.recv("out", filled, 50) == CODES.STATUS_TIMEDOUT
        assert io.recv("out", filled, timeout=-1) == CODES.STATUS_TIMEDOUT
        assert io.recv("out", -1) is None
        assert io.recv("nowhere", filled) == CODES.STATUS_INVALID
        assert io.recv("nowhere") is None
        assert io.send("nowhere", "x") == CODES.STATUS_INVALID
        assert io.close_input()
        assert io.recv("out", filled) == CODES.STATUS_EOF
        assert io.recv("out") is None


def test_5_13_dropping_a_stream_io_shuts_its_session_down() -> None:
    shut = threading.Event()

    def post(context: DataContext) -> Status:
        shut.set()
        return Status()

    keeps_open = unit("u", holds_open, data_post=post)
    with running(line("u"), keeps_open) as flow:
        io = sent(flow, "a")
        assert str(io.recv("out", 5000)) == "a"
        del io
        gc.collect()
        assert shut.wait(5)
