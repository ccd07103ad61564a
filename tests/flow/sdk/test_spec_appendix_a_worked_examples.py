"""Spec appendix A: the worked examples, with units in files as users write them.

What other rows show, too, is there: what event calls get, positions of ports (4.5); data_pre and data_post (4.8);
data calls between event calls (4.9); CONTINUE without an event (4.12); dropped sessions (5.13); boot flows (e2e).
"""

from pathlib import Path
from time import monotonic, sleep

import pytest

from server.flow.unitapi import Status, UnitStatusCode
from tests.flow.run.folders import EACH, UnitFolder
from tests.flow.run.programs import sent


@pytest.fixture
def units(tmp_path: Path) -> UnitFolder:
    return UnitFolder(tmp_path)


CONDITION = """
def process(self, ctx):                      # exactly one buffer per call
    b = ctx.input("in_1")[0]
    (ctx.output("big") if int(str(b)) > 10 else ctx.output("small")).push_back(b)
    return modelbox.Status.StatusCode.STATUS_SUCCESS
"""
CONDITION_DOT = """in[type=input]; out[type=output];
  sel[type=flowunit, flowunit=is_big, device=cpu]
  sq [type=flowunit, flowunit=square, device=cpu]
  tx [type=flowunit, flowunit=to_text, device=cpu]
  in -> sel:in_1
  sel:big -> sq:in_1
  sq:out_1 -> tx:in_1
  sel:small -> tx:in_1
  tx:out_1 -> out"""


def test_a_1_condition_with_join(units: UnitFolder) -> None:
    units.add("is_big", CONDITION, outputs="big small", condition=True)
    units.add_each("square", "str(int(str(b)) ** 2)", stream=False)
    units.add_each("to_text", "str(b)", stream=False)
    assert units.results(CONDITION_DOT, "5", "20", "7") == ["5", "400", "7"]


@pytest.mark.parametrize("texts", [["1", "2"], ["20"], []])
def test_a_1_the_end_leaves_on_every_port_and_the_join_waits_for_each(units: UnitFolder, texts: list[str]) -> None:
    units.add("is_big", CONDITION, outputs="big small", condition=True)
    units.add_each("square", "b", stream=False)
    units.add_each("to_text", "str(b)", stream=False)
    assert units.results(CONDITION_DOT, *texts) == texts


def test_a_1_no_join_is_needed_where_a_branch_ends_in_a_sink(units: UnitFolder) -> None:
    units.add("is_big", CONDITION, outputs="big small", condition=True)
    units.add("drop", "def process(self, ctx):\n    return modelbox.Status()", outputs="")
    dot = """in[type=input]; out[type=output]; sel[flowunit=is_big]; drop[flowunit=drop]
      in -> sel:in_1; sel:big -> out; sel:small -> drop:in_1"""
    assert units.results(dot, "5", "20", "7", "30") == ["20", "30"]


@pytest.mark.parametrize("ports", [[], ["big", "small"]])
def test_a_1_pushing_to_both_ports_or_to_none_ends_the_flow(units: UnitFolder, ports: list[str]) -> None:
    pushes = "".join(f"    ctx.output('{port}').push_back('1')\n" for port in ports)
    units.add(
        "is_big",
        f"def process(self, ctx):\n{pushes}    return modelbox.Status()",
        "in_1",
        "big small",
        condition=True,
    )
    for name in ("square", "to_text"):
        units.add_each(name, "b", stream=False)
    flow = units.flow(CONDITION_DOT)
    io = sent(flow, "5")
    ending = Status()
    assert flow.wait(10_000, ending)
    assert ending == UnitStatusCode.STATUS_STOP
    del io
    flow.stop()


WORDS = """
def process(self, ctx):
    for b in ctx.input("in_1"):
        for word in str(b).split():
            ctx.output("out_1").push_back(word)
    return modelbox.Status()
"""
GLUE = """
def process(self, ctx):
    ctx.output("out_1").push_back(" ".join(str(b) for b in ctx.input("in_1")))
    return modelbox.Status()
"""
EXPAND_DOT = """in[type=input]; out[type=output]; lines[flowunit=lines, device=cpu];
  upper[flowunit=upper, device=cpu]; glue[flowunit=glue, device=cpu];
  in -> lines:in_1; lines:out_1 -> upper:in_1; upper:out_1 -> glue:in_1; glue:out_1 -> out"""


def test_a_2_expand_and_collapse_with_the_placeholder_for_nothing(units: UnitFolder) -> None:
    units.add("lines", WORDS, expand=True, stream=False)
    units.add_each("upper", "str(b).upper()", stream=False)
    units.add("glue", GLUE, collapse=True, stream=False)
    assert units.results(EXPAND_DOT, "a b", "", "c") == ["A B", "C"]


def test_a_2_an_error_of_one_child_is_the_result_of_its_parent(units: UnitFolder) -> None:
    units.add("lines", WORDS, expand=True, stream=False)
    body = """
def process(self, ctx):
    for b in ctx.input("in_1"):
        if str(b) == "b":
            return modelbox.Status(modelbox.Status.StatusCode.STATUS_FAULT, "no b")
        ctx.output("out_1").push_back(str(b).upper())
    return modelbox.Status()
"""
    units.add("upper", body)
    units.add("glue", GLUE, collapse=True, stream=False)
    assert units.results(EXPAND_DOT, "a b", "c") == ["!upper.ProcessError", "C"]


def test_a_2_an_exception_visible_glue_gets_the_error(units: UnitFolder) -> None:
    units.add("lines", WORDS, expand=True, stream=False)
    body = """
def process(self, ctx):
    for b in ctx.input("in_1"):
        if str(b) == "b":
            return modelbox.Status.StatusCode.STATUS_FAULT
        ctx.output("out_1").push_back(str(b).upper())
    return modelbox.Status()
"""
    units.add("upper", body)
    glue = GLUE.replace("str(b)", "b.get_error_code() or str(b)")
    units.add("glue", glue, collapse=True, stream=False, exception_visible=True)
    assert units.results(EXPAND_DOT, "a b", "c") == ["A upper.ProcessError", "C"]


def test_a_2_metas_of_child_buffers_do_not_come_back_by_themselves(units: UnitFolder) -> None:
    units.add("lines", WORDS, expand=True, stream=False)
    sets = """
def process(self, ctx):
    for b in ctx.input("in_1"):
        b.set("word", str(b))
        ctx.output("out_1").push_back(b)
    return modelbox.Status()
"""
    units.add("upper", sets, stream=False)
    units.add("glue", GLUE, collapse=True, stream=False)
    flow = units.flow(EXPAND_DOT)
    buffer = sent(flow, "a b").recv("out", 5000)
    assert buffer is not None
    with pytest.raises(ValueError, match="word"):
        buffer.get("word")
    flow.stop()


TICKER = """
def open(self, config):
    self.n = config.get_int("count", 3)
    return modelbox.Status()
def data_pre(self, ctx):
    ctx.set_private_int("left", self.n); return modelbox.Status()
def process(self, ctx):
    left = ctx.get_private_int("left")
    ctx.output("out_1").push_back(str(left))
    ctx.set_private_int("left", left - 1)
    if left > 1:
        ctx.send_event(modelbox.FlowUnitEvent())
        return modelbox.Status.StatusCode.STATUS_CONTINUE
    return modelbox.Status.StatusCode.STATUS_SUCCESS
def data_post(self, ctx): return modelbox.Status()
def close(self): return modelbox.Status()
"""


def test_a_3_event_driven_producer(units: UnitFolder) -> None:
    units.add("ticker", TICKER)
    dot = """in[type=input]; out[type=output]; t[flowunit=ticker, device=cpu, count=4];
      in -> t:in_1; t:out_1 -> out"""
    assert units.results(dot, "go") == ["4", "3", "2", "1"]


SOURCE = """
def open(self, config):
    t = threading.Thread(target=self._feed, daemon=True); t.start()
    return modelbox.Status()
def _feed(self):
    ext = self.create_external_data()            # new session
    bl = ext.create_buffer_list(); bl.push_back("hello")
    ext.get_session_context().set_private_string("who", "feeder")
    ext.send(bl); ext.close()
def process(self, ctx):
    out = ctx.output("out_1")
    for b in ctx.external(): out.push_back(b)
    return modelbox.Status()
"""
WRITES = """
def open(self, config):
    self.path = config.get_string("path")
    return modelbox.Status()
def process(self, ctx):
    with open(self.path, "a") as file:
        for b in ctx.input("in_1"):
            file.write(f"{b} of {ctx.get_session_context().get_private_string('who')}")
    return modelbox.Status()
"""


@pytest.mark.parametrize("where", ["its own thread", "open"])
def test_a_4_source_unit_that_feeds_itself(units: UnitFolder, where: str) -> None:
    body = SOURCE if where == "its own thread" else SOURCE.replace("t.start()", "t.run()")
    units.add("feeder", body, inputs="")
    units.add("writer", WRITES, outputs="")
    path = units.folder / "written"
    dot = f"""f[flowunit=feeder, device=cpu]; w[flowunit=writer, device=cpu, path="{path}"]; f:out_1 -> w:in_1"""
    flow = units.flow(dot)
    deadline = monotonic() + 10
    while not path.exists() or not path.read_text():
        assert monotonic() < deadline
        sleep(0.01)
    assert path.read_text() == "hello of feeder"
    flow.stop()


def test_a_5_sdk_style_use(units: UnitFolder) -> None:
    units.add_each("upper", "str(b).upper()")
    flow = units.flow("in[type=input]; out[type=output]; u[flowunit=upper]; in -> u:in_1; u:out_1 -> out")
    io = flow.create_stream_io()
    assert io is not None
    io.send("in", "hello")
    io.close_input()
    assert str(io.recv("out")) == "HELLO"
    assert io.recv("out") is None
    flow.stop()


SLOW = """
def process(self, ctx):
    import time
    for b in ctx.input("in_1"):
        time.sleep((int(str(b)) % 3) / 1000)
        ctx.output("out_1").push_back(b)
    return modelbox.Status()
"""
BEHIND = {
    "stream": ("in_1", "out_1", {}),
    "condition": ("in_1", "out_1 other", {"condition": True}),
    "output": ("", "", {}),
}


@pytest.mark.parametrize("behind", BEHIND)
def test_a_6_one_stream_is_in_order_behind_normal_units_that_run_in_parallel(
    units: UnitFolder, behind: str
) -> None:
    inputs, outputs, base = BEHIND[behind]
    units.add("slow", SLOW, stream=False)
    dot = "in[type=input]; out[type=output]; slow[flowunit=slow, batch_size=2]; in -> slow:in_1;"
    if behind == "output":
        dot += "slow:out_1 -> out"
    else:
        units.add("see", EACH.format("True", "b"), inputs, outputs, **base)
        dot += "see[flowunit=see]; slow:out_1 -> see:in_1; see:out_1 -> out;"
    if behind == "condition":
        units.add("drop", "def process(self, ctx):\n    return modelbox.Status()", outputs="")
        dot += "drop[flowunit=drop]; see:other -> drop:in_1"
    numbers = [str(number) for number in range(40)]
    assert units.results(dot, *numbers) == numbers


def test_a_6_child_streams_are_in_order_at_a_stream_collapse_unit(units: UnitFolder) -> None:
    units.add("lines", WORDS, expand=True, stream=False)
    units.add("upper", SLOW, stream=False)
    units.add("glue", GLUE, collapse=True)
    texts = [f"{number} {number + 1}" for number in range(20)]
    assert units.results(EXPAND_DOT, *texts) == texts
