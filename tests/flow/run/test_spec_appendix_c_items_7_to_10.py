"""Spec appendix C, 7 to 10: each item as a whole, with units in files. The rows behind them: test_spec_4_*."""

from pathlib import Path

import pytest

from server.flow.unitapi import Status, UnitStatusCode
from tests.flow.run.folders import UnitFolder
from tests.flow.run.programs import how_it_ended, received, sent

SIZES = """
def process(self, ctx):
    buffers = ctx.input("in_1")
    for b in buffers:
        ctx.output("out_1").push_back(f"{b}{len(buffers)}")
    return modelbox.Status()
"""
SPOILS = """
def process(self, ctx):
    for b in ctx.input("in_1"):
        made = modelbox.Buffer(self.get_bind_device(), str(b))
        if str(b) in ("bad", "x"):
            made.set_error("Bad", f"{b} is bad")
        ctx.output("out_1").push_back(made)
    return modelbox.Status()
"""
SPLITS = """
def process(self, ctx):
    for b in ctx.input("in_1"):
        for part in str(b).split("-"):
            ctx.output("out_1").push_back(part)
    return modelbox.Status()
"""
GLUES = """
def process(self, ctx):
    ctx.output("out_1").push_back("+".join(str(b) for b in ctx.input("in_1")))
    return modelbox.Status()
"""
MARKS = """
def process(self, ctx):
    for b in ctx.input("in_1"):
        ctx.output("out_1").push_back(f"seen:{b.get_error_code()}" if b.has_error() else f"{b}{MARK}")
    return modelbox.Status()
"""


@pytest.fixture
def units(tmp_path: Path) -> UnitFolder:
    return UnitFolder(tmp_path)


def test_c_7_batches(units: UnitFolder) -> None:
    units.add("normal", SIZES, stream=False)
    units.add("stream", SIZES)
    units.add("wide", SIZES, max_batch_size=4)
    choose = SIZES.replace('"out_1"', '"yes"')
    units.add("choose", choose, outputs="yes no", condition=True)
    units.add_each("join", "b", stream=False)
    flow = units.built("""in[type=input]; out[type=output]; normal[flowunit=normal]; join[flowunit=join]
        stream[flowunit=stream, batch_size=9]; wide[flowunit=wide, batch_size=9]
        choose[flowunit=choose, batch_size=9]
        in -> normal:in_1; normal:out_1 -> stream:in_1; stream:out_1 -> choose:in_1; choose:yes -> join:in_1
        choose:no -> join:in_1; join:out_1 -> out; in -> wide:in_1; wide:out_1 -> wides; wides[type=output]""")
    sessions = [sent(flow, *["n"] * 10) for _ in range(2)]
    assert flow.run_async()
    normal = [received(io) for io in sessions]
    # batches of 8 over both sessions, whichever is first, and 4 left; 1 in the stream unit and 1 in the condition
    assert sorted(normal) == [["n811"] * 6 + ["n411"] * 4, ["n811"] * 10]
    assert [received(io, "wides") for io in sessions] == [["n4"] * 8 + ["n2"] * 2] * 2
    flow.stop()


def test_c_8_error_buffers(units: UnitFolder) -> None:
    units.add("spoil", SPOILS, stream=False)
    units.add("blind", MARKS.replace("MARK", "'.'"), stream=False)
    units.add("split", SPLITS, expand=True, stream=False)
    units.add("spoil2", SPOILS, stream=False)
    units.add("deep", MARKS.replace("MARK", "'!'"), exception_visible=True)
    units.add("glue", GLUES, collapse=True, stream=False)
    units.add("sees", MARKS.replace("MARK", "''"), exception_visible=True)
    names = ("spoil", "blind", "split", "spoil2", "glue")
    dot = "; ".join(f"{name}[flowunit={name}]" for name in (*names, "sees", "deep"))
    dot += """; in[type=input]; out[type=output]; raw[type=output]; in -> spoil:in_1; spoil:out_1 -> blind:in_1
        blind:out_1 -> split:in_1; split:out_1 -> spoil2:in_1; spoil2:out_1 -> deep:in_1; deep:out_1 -> glue:in_1
        glue:out_1 -> sees:in_1; sees:out_1 -> out; glue:out_1 -> raw"""
    flow = units.flow(dot)
    io = sent(flow, "a-b", "bad", "c-x", "d")
    # "bad" is skipped by blind, and by deep, which is deeper than it; the "x" of "c-x." is no "x" any more
    assert received(io) == ["a!+b.!", "seen:Bad", "c!+x.!", "d.!"]
    assert io._feed.outlet.error == "bad is bad"
    flow.stop()


ENDS = {
    "return modelbox.Status.StatusCode.STATUS_STOP": UnitStatusCode.STATUS_STOP,
    "return modelbox.Status.StatusCode.STATUS_SHUTDOWN": UnitStatusCode.STATUS_STOP,
    "return None": UnitStatusCode.STATUS_STOP,
    "ctx.output('out_1').push_back('one too many'); return modelbox.Status()": UnitStatusCode.STATUS_STOP,
}


@pytest.mark.parametrize("line", ENDS)
def test_c_9_what_ends_the_flow(units: UnitFolder, line: str) -> None:
    body = f"""
def process(self, ctx):
    ctx.output("out_1").push_back("x")
    {line}
"""
    units.add("ends", body, stream=False)
    flow = units.flow("in[type=input]; out[type=output]; u[flowunit=ends]; in -> u:in_1; u:out_1 -> out")
    io = sent(flow, "a")
    assert how_it_ended(flow) == ENDS[line]
    assert received(io) == []
    flow.stop()


@pytest.mark.parametrize("line", ["return modelbox.Status.StatusCode.STATUS_EOF", "raise ValueError('x')"])
def test_c_9_what_does_not_end_the_flow(units: UnitFolder, line: str) -> None:
    """An exception does when it is one of C++; of those of Python units 5.2 makes errors of their buffers."""
    units.add("fails", f"\ndef process(self, ctx):\n    {line}\n", stream=False)
    flow = units.flow("in[type=input]; out[type=output]; u[flowunit=fails]; in -> u:in_1; u:out_1 -> out")
    for _ in range(2):
        assert received(sent(flow, "a")) == ["!fails.ProcessError"]
    assert flow.wait(-1) == UnitStatusCode.STATUS_BUSY
    flow.stop()


STREAM = """
def data_pre(self, ctx):
    self.calls = getattr(self, "calls", []) + ["pre"]
    if str(ctx.input("in_1")[0]) == "refuse":
        return modelbox.Status(modelbox.Status.StatusCode.STATUS_NODATA, "refused")
    return modelbox.Status()
def process(self, ctx):
    if ctx.event() is None and str(ctx.input("in_1")[0]) == "hold":
        ctx.output("out_1").push_back("held")
        return modelbox.Status.StatusCode.STATUS_CONTINUE
    if ctx.event() is None:
        ctx.send_event(modelbox.FlowUnitEvent())
        return modelbox.Status.StatusCode.STATUS_CONTINUE
    ctx.output("out_1").push_back("by event")
    return modelbox.Status()
def data_post(self, ctx):
    ctx.get_session_context().set_private_int("post", 1)
    return modelbox.Status()
"""


def test_c_10_streams(units: UnitFolder) -> None:
    units.add("u", STREAM)
    flow = units.flow("in[type=input]; out[type=output]; u[flowunit=u]; in -> u:in_1; u:out_1 -> out")
    refused, empty, event = sent(flow, "refuse", "more"), sent(flow), sent(flow, "go")
    assert received(refused) == ["!u.DataPreError"]
    assert received(empty) == []
    assert received(event) == ["by event"]
    posts = [io.get_session_context()._values.get("post") for io in (refused, empty, event)]
    assert posts == [1, None, 1]
    held = sent(flow, "hold")
    assert str(held.recv("out", 5000)) == "held"
    assert held.recv("out", 50) is None
    held._feed.shutdown()
    filled, status = held.create_buffer(), Status()
    status = held.recv("out", filled, 5000)
    assert status == UnitStatusCode.STATUS_INVALID
    assert "EOF" in status.errormsg()
    flow.stop()
