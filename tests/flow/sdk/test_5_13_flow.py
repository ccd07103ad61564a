"""Spec 5.13, with 1.5: Flow, one test for each statement."""

import gc
import socket
import subprocess
import sys
import threading
from inspect import signature
from pathlib import Path

import httpx

from server.flow.sdk import (
    Flow,
)
from server.flow.unitapi import Configuration, DataContext, Status, UnitStatusCode
from tests.flow.http.support import free_port
from tests.flow.run.programs import (
    flow_of,
    line,
    passes,
    received,
    running,
    sent,
    unit,
)
from tests.flow.sdk.upper import DOT, echoes, json_of, toml_of

CODES = UnitStatusCode


def test_5_13_init_from_a_file_toml_or_json_by_its_name(tmp_path: Path, units: Path) -> None:
    for name, text in (("a.toml", toml_of(units)), ("a.json", json_of(units))):
        path = tmp_path / name
        path.write_text(text)
        flow = Flow()
        assert flow.init(str(path))
        assert echoes(flow) == ["HELLO"]


def test_5_13_init_from_a_file_with_a_format(tmp_path: Path, units: Path) -> None:
    path = tmp_path / "graph.txt"
    path.write_text(json_of(units))
    flow = Flow()
    assert flow.init(str(path), Flow.Format.FORMAT_JSON)
    assert echoes(flow) == ["HELLO"]
    assert not Flow().init(str(path), Flow.Format.FORMAT_TOML)


def test_5_13_init_from_a_name_and_a_text(units: Path) -> None:
    for text in (toml_of(units), json_of(units), f"\n  {json_of(units)}"):
        flow = Flow()
        # the text tells its format; the argument is ignored, as in ModelBox, and blanks before { do no harm
        assert flow.init("name", text, Flow.Format.FORMAT_TOML)
        assert echoes(flow) == ["HELLO"]


def test_5_13_init_from_a_configuration(units: Path) -> None:
    config = Configuration()
    config.set("driver.dir", str(units))
    config.set("graph.format", "graphviz")
    config.set("graph.graphconf", DOT.replace("SUFFIX", ""))
    flow = Flow()
    assert flow.init(config)
    assert echoes(flow) == ["HELLO"]


def test_5_13_the_formats() -> None:
    assert [each.name for each in Flow.Format] == ["FORMAT_AUTO", "FORMAT_TOML", "FORMAT_JSON"]


def test_5_13_names_of_arguments(units: Path) -> None:
    assert Flow().init(source="name", graph=toml_of(units), format=Flow.Format.FORMAT_AUTO)
    # sic: programs that name it spell it so
    assert list(signature(Flow.wait).parameters)[1:] == ["timemout", "retval"]
    by_name = signature(Flow.init_by_name).parameters
    assert list(by_name)[1:] == ["name", "args", "flow_dir"]
    assert by_name["flow_dir"].default == "/usr/local/share/modelbox/solutions/graphs"


def test_5_13_init_refuses_what_does_not_depend_on_the_graph(tmp_path: Path) -> None:
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


def test_5_13_build_refuses_a_graph_that_cannot_run_with_the_chain_of_messages(units: Path) -> None:
    flow = Flow()
    assert flow.init("name", toml_of(units).replace("flowunit=upper", "flowunit=uper"))
    status = flow.build()
    assert status == CODES.STATUS_NOTFOUND
    assert status.wrap_errormsgs().startswith(
        "Not found, build graph failed, please check graph config. -> create"
    )
    assert status.unwrap() is not None


def test_5_13_build_before_init_and_run_before_build_are_faults(units: Path) -> None:
    status = Flow().build()
    assert status == CODES.STATUS_FAULT
    assert status.errormsg() == "Flow not initialized."
    flow = Flow()
    flow.init("name", toml_of(units))
    assert flow.run_async() == CODES.STATUS_FAULT
    assert flow.wait() == CODES.STATUS_FAULT
    assert flow.create_stream_io() is None
    assert flow.create_external_data_map() is None


def test_5_13_init_by_name_finds_the_flow_and_fills_its_arguments(tmp_path: Path, units: Path) -> None:
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


def test_5_13_wait_zero_waits_for_the_end_and_fills_retval() -> None:
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


def test_5_13_wait_times_out_polls_and_knows_a_stopped_flow() -> None:
    with running(line("u"), unit("u", passes)) as flow:
        assert flow.wait(50) == CODES.STATUS_TIMEDOUT
        assert flow.wait(-1) == CODES.STATUS_BUSY
        assert flow.wait(timemout=-1, retval=Status()) == CODES.STATUS_BUSY
        flow.stop()
        assert flow.wait(0) == CODES.STATUS_SHUTDOWN
        assert flow.wait(-1) == CODES.STATUS_SHUTDOWN
        assert flow.run_async() == CODES.STATUS_FAULT


def test_5_13_stop_wakes_who_waits() -> None:
    with running(line("u"), unit("u", passes)) as flow:
        threading.Timer(0.1, flow.stop).start()
        assert flow.wait(0) == CODES.STATUS_SHUTDOWN


def test_5_13_run_blocks_until_the_end_and_returns_it() -> None:
    flow = flow_of(line("u"), [unit("u", stops_at_stop)])
    assert flow.build()
    threading.Timer(0.1, lambda: sent(flow, "stop")).start()
    assert flow.run() == CODES.STATUS_STOP
    flow.stop()


def test_5_13_build_opens_units_and_run_lets_data_flow() -> None:
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


def test_5_13_a_flow_that_is_dropped_closes_its_units() -> None:
    closed = threading.Event()
    flow = flow_of(line("u"), [unit("u", passes, closed=lambda: closed.set() or Status())])
    assert flow.start_run()
    del flow
    gc.collect()
    assert closed.wait(5)


def test_5_13_a_plain_script_imports_modelbox(tmp_path: Path, units: Path) -> None:
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


def test_5_13_a_program_may_run_a_flow_with_http_units() -> None:
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
