"""`flow run`: a flow in one process, from its start to a drain, a failure or an end at once."""

import pty
import subprocess
from os import close, read
from pathlib import Path

import pytest

from tests.flow.commands.graphs import ECHO_DOT, WRONG_DOT, toml_graph
from tests.flow.commands.program import PROGRAM, environ, flow, running, started
from tests.installation import free_port


def test_it_serves_counts_and_ends_after_ctrl_c(tmp_path: Path) -> None:
    port = free_port()
    with running(toml_graph(tmp_path, ECHO_DOT, port), port) as under_way:
        assert under_way.http.post("/", content="hello").text == "hello"
        under_way.interrupt()
        code, errors = under_way.end()
    assert code == 0
    lines = errors.splitlines()
    assert lines[0] == f"running echo on http://127.0.0.1:{port}; Ctrl-C ends it"
    assert "nothing new is taken; what is in flight finishes, within 60 s; once more ends it at once" in lines
    rows = {line.split()[0]: line.split()[1:] for line in lines if line.startswith(("rx ", "tx "))}
    assert rows["rx"][1] == "1"
    assert rows["tx"][0] == "1"
    assert lines[-1].startswith("drained after ")


def test_counters_are_written_meanwhile_in_a_pipe(tmp_path: Path) -> None:
    port = free_port()
    with running(toml_graph(tmp_path, ECHO_DOT, port), port, "--report", "0.05") as under_way:
        under_way.http.post("/", content="hello")
        assert under_way.process.stderr is not None
        rows = (under_way.process.stderr.readline().split()[:2] for _ in range(10_000))
        assert any(row == ["tx", "1"] for row in rows)
        under_way.interrupt()
        assert under_way.end()[0] == 0


class Terminal:
    """`flow run` on a terminal of its own, stdout too."""

    def __init__(self, graph: Path) -> None:
        self._master, slave = pty.openpty()
        command = [str(PROGRAM), "flow", "run", str(graph)]
        self.process = subprocess.Popen(command, stdout=slave, stderr=slave, env=environ())
        # with no other holder of it, the end of the program is the end of what can be read
        close(slave)
        self.seen = b""

    def wait_for(self, text: bytes) -> None:
        """Raises: OSError, when the program ends without having said `text`."""
        while text not in self.seen:
            self.seen += read(self._master, 10_000)

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        close(self._master)


def test_a_terminal_gets_a_table_that_is_redrawn(tmp_path: Path) -> None:
    port = free_port()
    with Terminal(toml_graph(tmp_path, ECHO_DOT, port)) as terminal:
        terminal.wait_for(b"\x1b[J")
        terminal.process.terminate()
        terminal.wait_for(b"drained")
        assert terminal.process.wait(30) == 0
    assert b"node" in terminal.seen


@pytest.mark.parametrize("dot", [WRONG_DOT, "digraph {", ECHO_DOT.replace("127.0.0.1:PORT", "203.0.113.1:80")])
def test_a_graph_that_cannot_be_built(tmp_path: Path, dot: str) -> None:
    done = flow("run", toml_graph(tmp_path, dot))
    assert done.returncode == 2
    assert str(tmp_path / "graph.toml") in done.stderr
    assert "Traceback" not in done.stderr


def test_everything_that_is_wrong_is_told(tmp_path: Path) -> None:
    done = flow("run", toml_graph(tmp_path, WRONG_DOT))
    assert "there is no unit 'httpserver_sync_repli'" in done.stderr
    assert "queue size config is zero" in done.stderr


def test_a_graph_with_input_nodes_is_fed_by_programs_only(tmp_path: Path) -> None:
    dot = (
        "digraph d { a[type=input]; b[type=output]; u[flowunit=base64_decoder]; a -> u:in_data; u:out_data -> b }"
    )
    with started(toml_graph(tmp_path, dot)) as under_way:
        assert under_way.process.stderr is not None
        assert under_way.process.stderr.readline().startswith("running d")
        assert "only a program (modelbox.Flow) can send there" in under_way.process.stderr.readline()
        under_way.interrupt()
        assert under_way.end()[0] == 0


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    port = free_port()
    graph = toml_graph(tmp_path, ECHO_DOT, port)
    with running(graph, port):
        done = flow("run", graph)
    assert done.returncode == 2
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr


PRINTING = """
import sys
import _flowunit as modelbox

class Printing(modelbox.FlowUnit):
    def open(self, config):
        session = self.create_external_data()
        buffers = session.create_buffer_list()
        buffers.push_back("x")
        session.send(buffers)
        session.close()
        return modelbox.Status()

    def process(self, data_context):
        print("printed", "words")
        print("complained", file=sys.stderr)
        modelbox.info("logged")
        return modelbox.Status.StatusCode.STATUS_STOP
"""


def test_what_units_print_on_a_terminal_does_not_tear_the_table(tmp_path: Path) -> None:
    (tmp_path / "printing.py").write_text(PRINTING)
    base = 'name = "printing"\ndevice = "cpu"\nversion = "1.0.0"\ndescription = "x"\ntype = "python"\n'
    ports = 'entry = "printing@Printing"\n[output.output1]\nname = "out_1"\n'
    (tmp_path / "printing.toml").write_text(f"[base]\n{base}{ports}")
    dot = "digraph p { a[flowunit=printing]; b[flowunit=httpserver_sync_reply]; a:out_1 -> b:in_reply_info }"
    graph = toml_graph(tmp_path, dot, 0, f'[driver]\ndir = "{tmp_path}"\n')
    with Terminal(graph) as terminal:
        terminal.wait_for(b"failed after")
        assert terminal.process.wait(30) == 1
    seen = terminal.seen
    lines = [line.rpartition("\x1b[J")[2] for line in seen.decode().splitlines()]
    assert "printed words" in lines
    assert "complained" in lines
    assert any(line.endswith(": logged") for line in lines)


def test_what_is_no_graph_file(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path, tmp_path / "missing", tmp_path / "binary"):
        done = flow("run", path)
        assert done.returncode == 2
        assert done.stderr.startswith(f"{path}: Bad config, read file {path} failed, ")
