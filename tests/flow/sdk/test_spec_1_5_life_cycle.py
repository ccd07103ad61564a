"""Spec 1.5: what init, build, run, wait and stop do one after the other, and init_by_name.

What an argument replaces in a graph is in tests/flow/graph/test_spec_1_5_file_and_arguments.py.
"""

import json
import threading
from pathlib import Path

import pytest

from server.flow.sdk import Flow
from server.flow.unitapi import DataContext, Status, UnitStatusCode
from tests.flow.run.programs import flow_of, line, passes, received, running, sent, unit
from tests.flow.sdk.upper import echoes, toml_of

CODES = UnitStatusCode


def test_1_5_init_refuses_what_does_not_depend_on_the_graph() -> None:
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


def test_1_5_build_refuses_a_graph_that_cannot_run_with_the_chain_of_messages(units: Path) -> None:
    flow = Flow()
    assert flow.init("name", toml_of(units).replace("flowunit=upper", "flowunit=uper"))
    status = flow.build()
    assert status == CODES.STATUS_NOTFOUND
    assert status.wrap_errormsgs().startswith(
        "Not found, build graph failed, please check graph config. -> create"
    )
    assert status.unwrap() is not None


def test_1_5_build_before_init_and_run_before_build_are_faults(units: Path) -> None:
    status = Flow().build()
    assert status == CODES.STATUS_FAULT
    assert status.errormsg() == "Flow not initialized."
    flow = Flow()
    flow.init("name", toml_of(units))
    assert flow.run_async() == CODES.STATUS_FAULT
    assert flow.wait() == CODES.STATUS_FAULT
    assert flow.create_stream_io() is None
    assert flow.create_external_data_map() is None


def test_1_5_init_by_name_finds_the_flow_and_fills_its_arguments(tmp_path: Path, units: Path) -> None:
    more = '[flow]\nname = "Upper"\n[args.suffix]\ndefault = "?"\n[args.other]\ndefault = "x"'
    graphs = tmp_path / "graphs"
    (graphs / "sub").mkdir(parents=True)
    (graphs / "broken.toml").write_text("[")
    (graphs / "sub" / "upper.toml").write_text(toml_of(units, ', suffix="$suffix"', more))
    for args, result in (({}, "HELLO?"), ({"suffix": "!"}, "HELLO!"), ({"suffix": 7}, "HELLO7")):
        flow = Flow()
        assert flow.init_by_name("Upper", args, str(graphs))
        assert echoes(flow) == [result]
    undeclared = Flow().init_by_name("Upper", {"sufix": "!"}, str(graphs))
    assert undeclared == CODES.STATUS_FAULT
    assert "did you mean 'suffix'?" in undeclared.wrap_errormsgs()
    missing = Flow().init_by_name("Lower", flow_dir=str(graphs))
    assert missing == CODES.STATUS_NOTFOUND
    assert "Upper" in missing.wrap_errormsgs()


def stops_at_stop(context: DataContext) -> object:
    return Status(CODES.STATUS_STOP, "told to") if "stop" in str(context.input("in_1")[0]) else passes(context)  # type: ignore[index]


def test_1_5_wait_zero_waits_for_the_end_and_fills_retval() -> None:
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


def test_1_5_wait_times_out_polls_and_knows_a_stopped_flow() -> None:
    with running(line("u"), unit("u", passes)) as flow:
        assert flow.wait(50) == CODES.STATUS_TIMEDOUT
        assert flow.wait(-1) == CODES.STATUS_BUSY
        assert flow.wait(timemout=-1, retval=Status()) == CODES.STATUS_BUSY
        flow.stop()
        assert flow.wait(0) == CODES.STATUS_SHUTDOWN
        assert flow.wait(-1) == CODES.STATUS_SHUTDOWN
        assert flow.run_async() == CODES.STATUS_FAULT


def test_1_5_stop_wakes_who_waits() -> None:
    with running(line("u"), unit("u", passes)) as flow:
        threading.Timer(0.1, flow.stop).start()
        assert flow.wait(0) == CODES.STATUS_SHUTDOWN


def test_1_5_run_blocks_until_the_end_and_returns_it() -> None:
    flow = flow_of(line("u"), [unit("u", stops_at_stop)])
    assert flow.build()
    threading.Timer(0.1, lambda: sent(flow, "stop")).start()
    assert flow.run() == CODES.STATUS_STOP
    flow.stop()


def test_1_5_build_opens_units_and_run_lets_data_flow() -> None:
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


def test_1_5_a_syntax_error_of_dot_appears_in_build_and_not_in_init() -> None:
    """Deviation: ModelBox says only Fault. The text here has line, column, and what was expected."""
    flow = Flow()
    assert flow.init("name", '[graph]\nformat = "graphviz"\ngraphconf = "digraph { a -> }"')
    status = flow.build()
    assert status == CODES.STATUS_FAULT
    assert status.wrap_errormsgs().startswith("Fault, DOT syntax error in line 1, column 16: expected a node name")


def test_1_5_start_run_is_build_and_run_async() -> None:
    flow = flow_of(line("u"), [unit("u", passes)])
    assert flow.start_run()
    assert received(sent(flow, "x")) == ["x"]
    flow.stop()
    assert flow_of("a -> ", []).start_run() == CODES.STATUS_FAULT


def test_1_5_stop_closes_all_nodes_within_a_second_and_a_little() -> None:
    """What is in a call gets 1000 ms. A unit that hangs for longer is left behind, with its thread."""
    closed: list[str] = []
    entered, leave = threading.Event(), threading.Event()

    def hangs(context: DataContext) -> object:
        entered.set()
        leave.wait(20)
        return passes(context)

    units = [
        unit("u", hangs, closed=lambda: closed.append("u") or Status()),
        unit("v", passes, closed=lambda: closed.append("v") or Status()),
    ]
    with running(line("u", "v"), *units) as flow:
        io = sent(flow, "x")
        assert entered.wait(10)
        stopped = threading.Thread(target=flow.stop)
        stopped.start()
        stopped.join(10)
        assert not stopped.is_alive()
        assert sorted(closed) == ["u", "v"]
        leave.set()
        del io


def test_1_5_a_poll_of_a_flow_that_has_ended_gives_the_reason() -> None:
    """Deviation: a poll of a flow that stands still is BUSY too. Python has no NORESPONSE (4.10); the log names
    the node and what its thread does."""
    with running(line("u"), unit("u", stops_at_stop)) as flow:
        assert flow.wait(-1) == CODES.STATUS_BUSY
        io = sent(flow, "stop")
        assert flow.wait(0)
        ending = Status()
        assert flow.wait(-1, ending)
        assert ending == CODES.STATUS_STOP
        del io


def named(folder: Path, file: str, graph: str, flow: str = "Echo") -> None:
    """A graph file whose DOT graph is called `graph`."""
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    dot = f"digraph {graph} {{"
    settings = {"flow": {"name": flow}, "graph": {"format": "graphviz", "graphconf": dot}}
    toml = f"[flow]\nname = '{flow}'\n[graph]\nformat = 'graphviz'\ngraphconf = '{dot}'"
    (folder / file).write_text(toml if file.endswith(".toml") else json.dumps(settings))


@pytest.mark.parametrize(
    ("files", "found"),
    [
        pytest.param(["a.json", "z.toml"], "z.toml", id="toml-before-json"),
        pytest.param(["a/a.json", "b/b.toml"], "b/b.toml", id="in-direct-sub-folders"),
        pytest.param(["a/b/c.toml", "z.json"], "z.json", id="not-deeper"),
        pytest.param(["a.txt", "z.json"], "z.json", id="no-other-files"),
    ],
)
def test_1_5_init_by_name_takes_the_first_graph_of_that_name(tmp_path: Path, files: list[str], found: str) -> None:
    named(tmp_path, "0.toml", "other", flow="Other")
    for number, file in enumerate(files):
        named(tmp_path, file, f"g{number}")
    flow = Flow()
    assert flow.init_by_name("Echo", {}, str(tmp_path))
    assert flow._source is not None
    assert flow._source.settings["graph.graphconf"] == f"digraph g{files.index(found)} {{"
