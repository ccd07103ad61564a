"""The profile of `flow run`: at its end, on a disk that is full, and after kill -9."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

from server.flow.profile.files import ProfileFolder
from tests.flow.commands.graphs import ECHO_DOT, toml_graph
from tests.flow.commands.program import PROGRAM, RunningFlow, environ, running
from tests.flow.profile.support import events, files, hidden, profiled
from tests.installation import free_port


def limited_program(graph: Path, port: int, kilobytes: int) -> RunningFlow:
    """`flow run`, which can write no file larger than that: to the program it is as if the disk was full."""
    argv = ["bash", "-c", f'ulimit -f {kilobytes}; exec "$@"', "bash", str(PROGRAM), "flow", "run", str(graph)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(argv, stdout=pipe, stderr=pipe, text=True, env=environ())
    under_way = RunningFlow(process, port)
    under_way.wait_until_serving()
    return under_way


def graph_with_trace(tmp_path: Path, port: int) -> Path:
    return toml_graph(tmp_path, ECHO_DOT, port, f'[profile]\ntrace = true\ndir = "{tmp_path}/perf"\n')


def ask(under_way: RunningFlow, count: int) -> None:
    assert all(under_way.http.post("/", content="x").text == "x" for _ in range(count))


def test_a_full_disk_does_not_hurt_the_flow(tmp_path: Path) -> None:
    port = free_port()
    under_way = limited_program(graph_with_trace(tmp_path, port), port, 4)
    try:
        for _ in range(4):
            ask(under_way, 20)
            time.sleep(0.11)
        under_way.interrupt()
        code, errors = under_way.end()
    finally:
        under_way.http.close()
        under_way.process.kill()
    assert code == 0
    assert errors.count("cannot be written") == 1
    assert not hidden(tmp_path / "perf"), "what could not be finished takes no room"


def test_the_trace_of_a_killed_engine_is_finished_by_the_next(tmp_path: Path) -> None:
    port = free_port()
    graph, folder = graph_with_trace(tmp_path, port), tmp_path / "perf"
    with running(graph, port) as under_way:
        ask(under_way, 5)
        wait_for_calls(folder)
        os.kill(under_way.process.pid, signal.SIGKILL)
        under_way.process.wait(10)
        (part,) = hidden(folder)
        with part.open("a") as file:
            file.write(',{"name": "half an ev')
    alive = ProfileFolder(folder, 1000, 0).begin("trace")
    alive.write(b"[\n")
    try:
        with profiled(folder) as next_one:
            next_one.call()
    finally:
        assert hidden(folder) == [alive.final.with_name(f".{alive.final.name}.part")]
        alive.discard()
    (of_killed,) = [path for path in files(folder, "trace") if "receive" in path.read_text()]
    assert {event["name"] for event in json.loads(of_killed.read_text())} == {"OPEN", "PROCESS"}


def wait_for_calls(folder: Path) -> None:
    deadline = time.monotonic() + 10
    while not any("PROCESS" in part.read_text() for part in hidden(folder)):
        assert time.monotonic() < deadline, "calls are written at the next sample"
        time.sleep(0.02)


def test_flow_run_writes_at_its_end(tmp_path: Path) -> None:
    port = free_port()
    with running(graph_with_trace(tmp_path, port), port) as under_way:
        ask(under_way, 3)
        under_way.interrupt()
        code, errors = under_way.end()
    assert code == 0, errors
    found = [event["name"] for event in events(tmp_path / "perf")]
    assert found.count("PROCESS") == 6
    assert found.count("OPEN") == found.count("CLOSE") == 2
