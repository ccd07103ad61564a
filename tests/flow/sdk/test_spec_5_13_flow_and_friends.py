"""Spec 5.13, with 1.5: the programmatic API, one test for each statement."""

import gc
import socket
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import numpy as np
import pytest

from server.flow.sdk import (
    DataHandler,
    ExtOutputBufferList,
    Flow,
    FlowGraphDesc,
    Model,
    ModelBoxEngine,
)
from server.flow.unitapi import Buffer, Configuration, DataContext, Status, UnitStatusCode
from tests.flow.http.support import free_port
from tests.flow.run.programs import (
    flow_of,
    holds_open,
    line,
    list_of,
    passes,
    received,
    running,
    sent,
    stream_of,
    unit,
)

CODES = UnitStatusCode
ROOT = Path(__file__).parents[3]
UPPER_TOML = """
[base]
name = "upper"
device = "cpu"
version = "1.0.0"
description = "capitals"
entry = "upper@Upper"
type = "python"
stream = false
[config]
suffix = ""
[input]
[input.input1]
name = "in_1"
[output]
[output.output1]
name = "out_1"
"""
UPPER_PY = """
import _flowunit as modelbox

class Upper(modelbox.FlowUnit):
    def open(self, config):
        self.suffix = config.get_string("suffix", "")
        return modelbox.Status()

    def process(self, ctx):
        for buffer in ctx.input("in_1"):
            ctx.output("out_1").push_back(str(buffer).upper() + self.suffix)
        return modelbox.Status.StatusCode.STATUS_SUCCESS
"""
DOT = """digraph g { in[type=input]; out[type=output]; up[flowunit=upper, device=cpu SUFFIX]
  in -> up:in_1; up:out_1 -> out }"""


@pytest.fixture
def units(tmp_path: Path) -> Path:
    folder = tmp_path / "units" / "upper"
    folder.mkdir(parents=True)
    (folder / "upper.toml").write_text(UPPER_TOML)
    (folder / "upper.py").write_text(UPPER_PY)
    return folder.parent


def toml_of(units: Path, suffix: str = "", more: str = "") -> str:
    dot = DOT.replace("SUFFIX", suffix)
    return f'{more}\n[driver]\ndir = "{units}"\n[graph]\nformat = "graphviz"\ngraphconf = """{dot}"""\n'


def json_of(units: Path) -> str:
    dot = DOT.replace("SUFFIX", "").replace("\n", " ")
    return f'{{"driver": {{"dir": "{units}"}}, "graph": {{"format": "graphviz", "graphconf": "{dot}"}}}}'


def echoes(flow: Flow, text: str = "hello") -> list[str]:
    status = flow.start_run()
    assert status, status.wrap_errormsgs()
    try:
        return received(sent(flow, text))
    finally:
        flow.stop()


def test_init_from_a_file_toml_or_json_by_its_name(tmp_path: Path, units: Path) -> None:
    for name, text in (("a.toml", toml_of(units)), ("a.json", json_of(units))):
        path = tmp_path / name
        path.write_text(text)
        flow = Flow()
        assert flow.init(str(path))
        assert echoes(flow) == ["HELLO"]


def test_init_from_a_file_with_a_format(tmp_path: Path, units: Path) -> None:
    path = tmp_path / "graph.txt"
    path.write_text(json_of(units))
    flow = Flow()
    assert flow.init(str(path), Flow.Format.FORMAT_JSON)
    assert echoes(flow) == ["HELLO"]
    assert not Flow().init(str(path), Flow.Format.FORMAT_TOML)


def test_init_from_a_name_and_a_text(units: Path) -> None:
    for text in (toml_of(units), json_of(units), f"\n  {json_of(units)}"):
        flow = Flow()
        # the text tells its format; the argument is ignored, as in ModelBox, and blanks before { do no harm
        assert flow.init("name", text, Flow.Format.FORMAT_TOML)
        assert echoes(flow) == ["HELLO"]


def test_init_from_a_configuration(units: Path) -> None:
    config = Configuration()
    config.set("driver.dir", str(units))
    config.set("graph.format", "graphviz")
    config.set("graph.graphconf", DOT.replace("SUFFIX", ""))
    flow = Flow()
    assert flow.init(config)
    assert echoes(flow) == ["HELLO"]


def test_init_refuses_what_does_not_depend_on_the_graph(tmp_path: Path) -> None:
    refusals = {
        "": (CODES.STATUS_NOTSUPPORT, "unknown file format"),
        "[graph": (CODES.STATUS_FAULT, "Load config file failed"),
        "[graph]\n": (CODES.STATUS_BADCONF, "graph.format is empty"),
        '[graph]\nformat = "svg"\n': (CODES.STATUS_NOTSUPPORT, "support type:graphviz"),
        '[graph]\nformat = "graphviz"\n': (CODES.STATUS_NOTFOUND, "graph config path is null."),
        '[flow]\nenable = false\n[graph]\nformat = "graphviz"\ngraphconf = "x"': (
            CODES.STATUS_PERMIT,
            "flow is disabled",
        ),
    }
    for text, (code, words) in refusals.items():
        status = Flow().init("name", text)
        assert status == code, text
        assert words in status.wrap_errormsgs()
    missing = Flow().init(str(tmp_path / "none.toml"))
    assert missing == CODES.STATUS_BADCONF
    assert "read file" in missing.errormsg()


def test_build_refuses_a_graph_that_cannot_run_with_the_chain_of_messages(units: Path) -> None:
    flow = Flow()
    assert flow.init("name", toml_of(units).replace("flowunit=upper", "flowunit=uper"))
    status = flow.build()
    assert status == CODES.STATUS_NOTFOUND
    assert status.wrap_errormsgs().startswith(
        "Not found, build graph failed, please check graph config. -> create"
    )
    assert status.unwrap() is not None


def test_build_before_init_and_run_before_build_are_faults(units: Path) -> None:
    status = Flow().build()
    assert status == CODES.STATUS_FAULT
    assert status.errormsg() == "Flow not initialized."
    flow = Flow()
    flow.init("name", toml_of(units))
    assert flow.run_async() == CODES.STATUS_FAULT
    assert flow.wait() == CODES.STATUS_FAULT
    assert flow.create_stream_io() is None
    assert flow.create_external_data_map() is None


def test_init_by_name_finds_the_flow_and_fills_its_arguments(tmp_path: Path, units: Path) -> None:
    more = '[flow]\nname = "Upper"\n[args.suffix]\ndefault = "?"\n[args.other]\ndefault = "x"'
    graphs = tmp_path / "graphs"
    (graphs / "sub").mkdir(parents=True)
    (graphs / "broken.toml").write_text("[")
    (graphs / "sub" / "upper.toml").write_text(toml_of(units, ', suffix="$suffix"', more))
    for args, result in (({}, "HELLO?"), ({"suffix": "!"}, "HELLO!"), ({"suffix": 7}, "HELLO7")):
        flow = Flow()
        assert flow.init_by_name("Upper", args, str(graphs))
        assert echoes(flow) == [result]
    flow = Flow()
    assert flow.init_by_name("Upper", {"sufix": "!"}, str(graphs))
    status = flow.build()
    assert status == CODES.STATUS_FAULT
    assert "suffix" in status.wrap_errormsgs()
    missing = Flow().init_by_name("Lower", flow_dir=str(graphs))
    assert missing == CODES.STATUS_NOTFOUND
    assert "Upper" in missing.wrap_errormsgs()


def stops_at_stop(context: DataContext) -> object:
    return Status(CODES.STATUS_STOP, "told to") if "stop" in str(context.input("in_1")[0]) else passes(context)  # type: ignore[index]


def test_wait_zero_waits_for_the_end_and_fills_retval() -> None:
    with running(line("u"), unit("u", stops_at_stop)) as flow:
        threading.Timer(0.1, lambda: sent(flow, "stop")).start()
        ending = Status()
        assert flow.wait(0, ending)
        assert ending == CODES.STATUS_STOP
        assert "told to" in ending.errormsg()
        # ModelBox answers SHUTDOWN to a wait that comes after the end; the reason is worth more (appendix D)
        again = Status()
        assert flow.wait(100, again)
        assert again == CODES.STATUS_STOP


def test_wait_times_out_polls_and_knows_a_stopped_flow() -> None:
    with running(line("u"), unit("u", passes)) as flow:
        assert flow.wait(50) == CODES.STATUS_TIMEDOUT
        assert flow.wait(-1) == CODES.STATUS_BUSY
        assert flow.wait(timemout=-1, retval=Status()) == CODES.STATUS_BUSY
        flow.stop()
        assert flow.wait(0) == CODES.STATUS_SHUTDOWN
        assert flow.wait(-1) == CODES.STATUS_SHUTDOWN
        assert flow.run_async() == CODES.STATUS_FAULT


def test_stop_wakes_who_waits() -> None:
    with running(line("u"), unit("u", passes)) as flow:
        threading.Timer(0.1, flow.stop).start()
        assert flow.wait(0) == CODES.STATUS_SHUTDOWN


def test_run_blocks_until_the_end_and_returns_it() -> None:
    flow = flow_of(line("u"), [unit("u", stops_at_stop)])
    assert flow.build()
    threading.Timer(0.1, lambda: sent(flow, "stop")).start()
    assert flow.run() == CODES.STATUS_STOP
    flow.stop()


def test_build_opens_units_and_run_lets_data_flow() -> None:
    opened: list[str] = []
    flow = flow_of(line("u"), [unit("u", passes, opened=lambda config: opened.append("u") or Status())])
    assert flow.build()
    assert opened == ["u"]
    io = sent(flow, "early")
    assert io.recv("out", 50) is None
    assert flow.run_async()
    assert received(io) == ["early"]
    assert flow.build() == CODES.STATUS_ALREADY
    assert flow.run_async() == CODES.STATUS_ALREADY
    flow.stop()


def test_a_flow_that_is_dropped_closes_its_units() -> None:
    closed = threading.Event()
    flow = flow_of(line("u"), [unit("u", passes, closed=lambda: closed.set() or Status())])
    assert flow.start_run()
    del flow
    gc.collect()
    assert closed.wait(5)


def test_external_data_map_sends_and_receives_lists() -> None:
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


def test_stream_io_sends_and_receives_buffers() -> None:
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


def test_dropping_a_stream_io_shuts_its_session_down() -> None:
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


def doubled(context: DataContext) -> UnitStatusCode:
    for buffer in context.input("x"):  # type: ignore[union-attr]
        context.output("y").push_back(f"{buffer}{buffer}")  # type: ignore[union-attr]
    return CODES.STATUS_SUCCESS


def run_graph(graph: FlowGraphDesc, text: str = "ab") -> list[str]:
    flow = Flow()
    assert flow.init(graph)
    return echoes(flow, text)


def test_graph_desc_builds_a_graph_of_units_and_functions(units: Path) -> None:
    graph = FlowGraphDesc()
    graph.set_drivers_dir([str(units)])
    graph.set_skip_default_drivers(True)
    graph.set_queue_size(4)
    graph.set_batch_size(2)
    graph.set_profile_dir("/tmp/perf")
    graph.set_profile_trace_enable(False)
    source = graph.add_input("in")
    upper = graph.add_node("upper", "cpu", ["suffix=,\"'\\"], {"in_1": source[0]})
    twice = graph.add_function(doubled, ["x"], ["y"], {"x": upper["out_1"]})
    graph.add_output("out", twice["y"])
    assert run_graph(graph) == ["AB,\"'\\AB,\"'\\"]


def test_graph_desc_takes_a_single_node_as_source_and_as_output(units: Path) -> None:
    graph = FlowGraphDesc()
    graph.set_drivers_dir([str(units)])
    first = graph.add_node("upper", "cpu", graph.add_input("in"))
    second = graph.add_node("upper", "cpu", ["suffix=!"], first)
    graph.add_output("out", graph.add_function(doubled, ["x"], ["y"], second))
    assert run_graph(graph) == ["AB!AB!"]
    assert (first.get_node_name(), second.get_node_name()) == ("upper", "upper2")


def test_node_desc_names_its_node_and_its_ports(units: Path) -> None:
    graph = FlowGraphDesc()
    node = graph.add_node("upper", "cpu")
    third = [graph.add_node("upper", "cpu") for _ in range(2)][1]
    assert third.get_node_name() == "upper3"
    node.set_node_name("mine")
    port = node["out_1"]
    assert (node.get_node_name(), port.get_node_name(), port.get_port_name()) == ("mine", "mine", "out_1")


def test_graph_desc_refusals(units: Path) -> None:
    graph = FlowGraphDesc()
    with pytest.raises(ValueError, match="key=value"):
        graph.add_node("upper", "cpu", ["suffix"])
    graph.set_drivers_dir([str(units)])
    node = graph.add_node("upper", "cpu", graph.add_input("in"))
    graph.add_output("out", node[1])
    status = Flow().init(graph)
    assert status == CODES.STATUS_BADCONF
    assert "1 outputs, so there is no number 1" in status.errormsg()
    node.set_node_name("in")
    assert Flow().init(graph) == CODES.STATUS_EXIST
    unknown = FlowGraphDesc()
    unknown.add_output("out", unknown.add_node("nonesuch", "cpu", unknown.add_input("in")))
    flow = Flow()
    assert flow.init(unknown)
    assert flow.build() == CODES.STATUS_NOTFOUND


def test_model_calls_a_unit_like_a_function(units: Path) -> None:
    model = Model(str(units), "upper", 4, "cpu", "0")
    assert model.infer([np.frombuffer(b"x", dtype=np.uint8)]) == []
    assert model.start()
    (buffer,) = model.infer([np.frombuffer(b"abc", dtype=np.uint8)])
    assert isinstance(buffer, Buffer)
    assert str(buffer) == "ABC"
    (batch,) = model.infer_batch([[b"a", b"b", b"c"]])
    assert [str(each) for each in batch] == ["A", "B", "C"]
    assert model.infer([b"a", b"b"]) == []
    model.stop()
    assert model.infer([b"a"]) == []


def test_model_finds_its_description_in_added_paths_and_refuses_other_engines(tmp_path: Path, units: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    model = Model(str(empty), "upper")
    assert model.start() == CODES.STATUS_NOTFOUND
    model.add_path(str(units))
    assert model.start()
    model.stop()
    (empty / "net.toml").write_text('[base]\nname = "net"\ntype = "inference"\n')
    refused = Model(str(empty), "net").start()
    assert refused == CODES.STATUS_NOTSUPPORT
    assert "inference" in refused.errormsg()


def test_the_dynamic_engine_runs_units_one_after_the_other(units: Path) -> None:
    engine = ModelBoxEngine()
    assert engine.init({"driver.dir": str(units)})
    data = engine.create_input({"text"})
    assert data.pushdata(Buffer(None, "a"), "text")
    assert data.pushdata(Buffer(None, "b"), "text")
    assert data.pushdata(Buffer(None, "b"), "nowhere") == CODES.STATUS_INVALID
    assert data.setmeta("kind", "letters")
    data.close()
    upper = engine.execute("upper", {"suffix": "1"}, {"in_1": data["text"]})
    twice = engine.execute("upper", {"suffix": "2"}, {"in_1": upper})
    assert [str(buffer) for buffer in twice] == ["A12", "B12"]
    assert [str(buffer) for buffer in twice["out_1"]] == ["A12", "B12"]
    parts = DataHandler()
    assert parts.pushdata(upper, "in_1")
    assert parts.get_datahandler("in_1") is upper
    other = DataHandler()
    assert other.set_datahandler({"in_1": upper})
    assert [str(buffer) for buffer in engine.execute("upper", None, other)] == ["A1", "B1"]
    with pytest.raises(RuntimeError, match="nonesuch"):
        list(engine.execute("nonesuch", {}, {"in_1": data}))
    engine.shutdown()
    engine.close()


def test_a_plain_script_imports_modelbox(tmp_path: Path, units: Path) -> None:
    script = tmp_path / "drive.py"
    script.write_text(
        "import sys\n"
        "import modelbox\n"
        "flow = modelbox.Flow()\n"
        "assert flow.init('g', open(sys.argv[1]).read())\n"
        "assert flow.start_run()\n"
        "io = flow.create_stream_io()\n"
        "io.send('in', 'hello'); io.close_input()\n"
        "print(str(io.recv('out')), io.recv('out'))\n"
        # left running: the end of the program stops it
    )
    graph = tmp_path / "graph.toml"
    graph.write_text(toml_of(units))
    argv = [sys.executable, str(script), str(graph)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, cwd=tmp_path)
    assert (done.stdout, done.returncode) == ("HELLO None\n", 0), done.stderr


def test_a_program_may_run_a_flow_with_http_units() -> None:
    port = free_port()
    dot = f"""rx[flowunit=httpserver_sync_receive, endpoint="http://127.0.0.1:{port}"]
        tx[flowunit=httpserver_sync_reply]; rx:out_request_info -> tx:in_reply_info"""
    with running(dot) as flow:
        assert httpx.post(f"http://127.0.0.1:{port}/", content=b"hello", trust_env=False).content == b"hello"
        assert flow.create_stream_io() is None
        assert flow.wait(-1) == CODES.STATUS_BUSY
    taken = socket.create_server(("127.0.0.1", port))
    with taken:
        flow = flow_of(dot)
        assert flow.build()
        refused = flow.run_async()
        assert str(port) in refused.wrap_errormsgs()
        assert flow.wait() == CODES.STATUS_FAULT
