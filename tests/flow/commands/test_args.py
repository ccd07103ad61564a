"""`--arg NAME=VALUE` of `flow run`, `check` and `show`: values for a graph's `[args]` (spec 1.3 to 1.5)."""

from pathlib import Path

import pytest

from tests.flow.commands.graphs import ECHO_DOT, toml_graph
from tests.flow.commands.program import flow, running
from tests.installation import free_port

DECLARED = '[args.where]\ndefault = "http://127.0.0.1:1/unused"\n[args.most]\ndesc = "no default"\n'


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    dot = ECHO_DOT.replace('"http://127.0.0.1:PORT", time_out_ms=20000', '"$where", max_requests="$most"')
    dot = dot.replace("tx[", 'tx[queue_size="$queue", ')
    return toml_graph(tmp_path, dot, 0, f'{DECLARED}[args.queue]\ndefault = "7"\n')


def test_run_fills_the_placeholders(graph: Path) -> None:
    port = free_port()
    with running(graph, port, "--arg", f"where=http://127.0.0.1:{port}/", "--arg", "most=10") as under_way:
        assert under_way.http.post("/", content="a=b").text == "a=b"
        under_way.interrupt()
        assert under_way.end()[0] == 0


def test_show_and_check_take_them_and_fall_back_on_the_graph_s_defaults(graph: Path) -> None:
    assert "(queue 7)" in flow("show", graph).stdout
    assert "(queue 9)" in flow("show", graph, "--arg", "queue=9").stdout
    assert flow("check", graph).returncode == 0
    refused = flow("check", graph, "--arg", "queue=0")
    assert refused.returncode == 1
    assert "queue" in refused.stdout


@pytest.mark.parametrize("command", ["run", "check", "show"])
def test_an_argument_that_is_not_declared(graph: Path, command: str) -> None:
    done = flow(command, graph, "--arg", "wher=x")
    assert done.returncode == (1 if command == "check" else 2)
    said = done.stdout + done.stderr
    assert "args 'wher' is not declared" in said
    assert "[args] declares 'most', 'queue', 'where'; did you mean 'where'?" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--arg", "where"], "'where' is not NAME=VALUE"),
        (["--arg", "=x"], "'=x' is not NAME=VALUE"),
        (["--arg", "most=1", "--arg", "most=2"], "'most' is given twice"),
    ],
)
def test_what_is_no_argument(graph: Path, given: list[str], words: str) -> None:
    done = flow("show", graph, *given)
    assert done.returncode == 2
    assert words in done.stderr
