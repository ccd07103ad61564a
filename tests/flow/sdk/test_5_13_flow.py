"""Spec 5.13: Flow, one test for each statement. What its calls do one after the other is in test_spec_1_5."""

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
from server.flow.unitapi import Configuration, Status, UnitStatusCode
from tests.flow.http.support import free_port
from tests.flow.run.programs import (
    flow_of,
    line,
    passes,
    running,
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
