"""Spec appendix A: the worked examples, with units in files as users write them."""

from pathlib import Path

import pytest

from server.flow.sdk import Flow
from server.flow.unitapi import Status, UnitStatusCode
from tests.flow.run.programs import received, sent

HEAD = """
import threading
import _flowunit as modelbox

class Unit(modelbox.FlowUnit):
    def __init__(self):
        super().__init__()
"""


class Units:
    """A folder of units, and flows of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, name: str, body: str, inputs: str = "in_1", outputs: str = "out_1", **base: bool) -> None:
        folder = self.folder / name
        folder.mkdir()
        indented = "\n".join(f"    {each}" for each in body.strip("\n").splitlines())
        (folder / f"{name}.py").write_text(f"{HEAD}{indented}\n")
        lines = ["[base]", f'name = "{name}"', 'device = "cpu"', 'version = "1.0.0"', 'description = "an example"']
        lines += [f'entry = "{name}@Unit"', 'type = "python"']
        lines += [f"{key} = {str(value).lower()}" for key, value in base.items()]
        for direction, ports in (("input", inputs), ("output", outputs)):
            for number, port in enumerate(ports.split(), 1):
                lines += [f"[{direction}.{direction}{number}]", f'name = "{port}"', 'type = "string"']
        (folder / f"{name}.toml").write_text("\n".join(lines))

    def flow(self, dot: str) -> Flow:
        flow = Flow()
        graph = f"[graph]\nformat = 'graphviz'\ngraphconf = '''digraph g {{ {dot} }}'''"
        text = f"[driver]\ndir = '{self.folder}'\n{graph}"
        assert flow.init("g", text)
        status = flow.start_run()
        assert status, status.wrap_errormsgs()
        return flow

    def results(self, dot: str, *items: object) -> list[str]:
        flow = self.flow(dot)
        try:
            return received(sent(flow, *items))
        finally:
            flow.stop()


@pytest.fixture
def units(tmp_path: Path) -> Units:
    return Units(tmp_path)


EACH = """
def process(self, ctx):
    for b in ctx.input("in_1"):
        ctx.output("out_1").push_back({})
    return modelbox.Status.StatusCode.STATUS_SUCCESS
"""
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


def test_a_1_condition_with_join(units: Units) -> None:
    units.add("is_big", CONDITION, outputs="big small", condition=True)
    units.add("square", EACH.format("str(int(str(b)) ** 2)"), stream=False)
    units.add("to_text", EACH.format("str(b)"), stream=False)
    assert units.results(CONDITION_DOT, "5", "20", "7") == ["5", "400", "7"]


@pytest.mark.parametrize("ports", [[], ["big", "small"]])
def test_a_1_pushing_to_both_ports_or_to_none_ends_the_flow(units: Units, ports: list[str]) -> None:
    pushes = "".join(f"    ctx.output('{port}').push_back('1')\n" for port in ports)
    units.add(
        "is_big",
        f"def process(self, ctx):\n{pushes}    return modelbox.Status()",
        "in_1",
        "big small",
        condition=True,
    )
    for name in ("square", "to_text"):
        units.add(name, EACH.format("b"), stream=False)
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


def test_a_2_expand_and_collapse_with_the_placeholder_for_nothing(units: Units) -> None:
    units.add("lines", WORDS, expand=True, stream=False)
    units.add("upper", EACH.format("str(b).upper()"), stream=False)
    units.add("glue", GLUE, collapse=True, stream=False)
    assert units.results(EXPAND_DOT, "a b", "", "c") == ["A B", "C"]


def test_a_2_an_error_of_one_child_is_the_result_of_its_parent(units: Units) -> None:
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


def test_a_3_event_driven_producer(units: Units) -> None:
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
def test_a_4_source_unit_that_feeds_itself(units: Units, where: str) -> None:
    body = SOURCE if where == "its own thread" else SOURCE.replace("t.start()", "t.run()")
    units.add("feeder", body, inputs="")
    units.add("writer", WRITES, outputs="")
    path = units.folder / "written"
    dot = f"""f[flowunit=feeder, device=cpu]; w[flowunit=writer, device=cpu, path="{path}"]; f:out_1 -> w:in_1"""
    flow = units.flow(dot)
    ending = Status(UnitStatusCode.STATUS_FAULT)
    # its only source has ended and all is through: ModelBox would run on
    assert flow.wait(10_000, ending)
    assert ending
    assert path.read_text() == "hello of feeder"
    flow.stop()


def test_a_5_sdk_style_use(units: Units) -> None:
    units.add("upper", EACH.format("str(b).upper()"))
    flow = units.flow("in[type=input]; out[type=output]; u[flowunit=upper]; in -> u:in_1; u:out_1 -> out")
    io = flow.create_stream_io()
    assert io is not None
    io.send("in", "hello")
    io.close_input()
    assert str(io.recv("out")) == "HELLO"
    assert io.recv("out") is None
    flow.stop()


def test_a_6_order_of_one_stream_behind_normal_units_that_run_in_parallel(units: Units) -> None:
    body = """
def process(self, ctx):
    import time
    for b in ctx.input("in_1"):
        time.sleep((int(str(b)) % 3) / 1000)
        ctx.output("out_1").push_back(b)
    return modelbox.Status()
"""
    units.add("slow", body, stream=False)
    units.add("state", EACH.format("b"))
    dot = """in[type=input]; out[type=output]; slow[flowunit=slow, batch_size=2]; state[flowunit=state];
      in -> slow:in_1; slow:out_1 -> state:in_1; state:out_1 -> out"""
    numbers = [str(number) for number in range(60)]
    assert units.results(dot, *numbers) == numbers
