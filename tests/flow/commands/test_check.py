"""`flow check`: all problems at once, each with its place in the file."""

import json
from pathlib import Path

import pytest

from server.flow.commands.remarks import remarks
from server.flow.graph.compile import compile_graph
from tests.flow.commands.graphs import ECHO_DOT, WRONG_DOT, json_graph, toml_graph
from tests.flow.commands.program import flow


def test_a_graph_without_problems(tmp_path: Path) -> None:
    graph = toml_graph(tmp_path, ECHO_DOT, 8080)
    done = flow("check", graph)
    assert (done.returncode, done.stdout) == (0, f"{graph}: ok, 2 nodes, 1 edges\n")


@pytest.mark.parametrize(("write", "first_line"), [(toml_graph, 4), (json_graph, 3)])
def test_all_problems_with_the_line_of_the_file(tmp_path: Path, write: object, first_line: int) -> None:
    assert callable(write)
    graph = write(tmp_path, WRONG_DOT)
    done = flow("check", graph)
    assert done.returncode == 1
    unit_line, queue_line = first_line + 2, first_line + 3
    queue, unit = done.stdout.splitlines()
    assert unit.startswith(f"{graph}:{unit_line}: Not found, ")
    assert f"node 'tx' (line {unit_line})" in unit
    assert "did you mean 'httpserver_sync_reply'" in unit
    assert queue.startswith(f"{graph}:{queue_line}: Invalid argument, ")


def test_a_syntax_error_of_dot_and_one_of_toml(tmp_path: Path) -> None:
    graph = toml_graph(tmp_path, "digraph a {\n  x[flowunit\n  y[flowunit=z]\n}")
    done = flow("check", graph)
    assert done.returncode == 1
    assert done.stdout.startswith(f"{graph}:6: Fault, DOT syntax error in line 6")
    graph.write_text('[graph]\nformat = "graphviz\n')
    done = flow("check", graph)
    assert done.returncode == 1
    assert done.stdout.startswith(f"{graph}:2: Fault, Load config file failed")


def test_a_dot_file_of_its_own_is_named(tmp_path: Path) -> None:
    (tmp_path / "flow.dot").write_text(WRONG_DOT)
    graph = tmp_path / "graph.toml"
    graph.write_text('[graph]\nformat = "graphviz"\ngraphconffilepath = "flow.dot"\n')
    done = flow("check", graph, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout.startswith("flow.dot:4: ")


def test_json_for_programs(tmp_path: Path) -> None:
    right = json_graph(tmp_path, ECHO_DOT, 8080)
    wrong = toml_graph(tmp_path, WRONG_DOT)
    done = flow("check", right, wrong, "-o", "json")
    assert done.returncode == 1
    first, second = json.loads(done.stdout)
    assert (first["file"], first["ok"], first["problems"]) == (str(right), True, [])
    assert not second["ok"]
    assert [(each["code"], each["line"]) for each in second["problems"]] == [
        ("Invalid argument", 7),
        ("Not found", 6),
    ]


def test_what_is_no_error_of_the_graph_is_a_warning(tmp_path: Path) -> None:
    folder = tmp_path / "units"
    folder.mkdir()
    (folder / "half.toml").write_text('[base]\ntype = "python"\nname = "half"\n')
    settings = f'strict = "yes"\n[driver]\ndir = ["{folder}", "nowhere"]\n'
    graph = toml_graph(tmp_path, ECHO_DOT, 8080, settings)
    done = flow("check", graph)
    assert done.returncode == 0
    warnings = done.stderr.splitlines()
    assert len(warnings) == 3
    assert all(line.startswith(f"{graph}: warning: ") for line in warnings)
    assert any(f"{folder}/half.toml, key 'base.entry': is missing or empty" in line for line in warnings)
    assert any("'nowhere'" in line for line in warnings)
    assert any("graph.strict : yes" in line for line in warnings)


def test_files_that_are_no_graph(tmp_path: Path) -> None:
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\x00\xff\xfe")
    missing = tmp_path / "missing.toml"
    done = flow("check", binary, tmp_path, missing)
    assert done.returncode == 2
    assert [line.rpartition("failed, ")[2].partition(" (")[0] for line in done.stdout.splitlines()] == [
        "it is no UTF-8 text",
        "it is a folder, give the graph file in it",
        "No such file or directory",
    ]
    assert not done.stderr


@pytest.mark.parametrize("text", ["", "\0", "{", "[]", "x = [1]\n", "graph = 5\n", "{" * 100_000])
def test_texts_that_are_no_graph(tmp_path: Path, text: str) -> None:
    graph = tmp_path / "graph"
    graph.write_text(text)
    done = flow("check", graph)
    assert done.returncode == 1
    assert done.stdout.startswith(f"{graph}")
    assert "Traceback" not in done.stderr


def test_wrong_use() -> None:
    done = flow("check")
    assert done.returncode == 2
    assert "Missing argument" in done.stderr


UNIT = """
[base]
name = "shout"
device = "cpu"
version = "1.0.0"
description = "makes it loud"
type = "python"
entry = "shout@Shout"
[input.input1]
name = "in_1"
[output.output1]
name = "out_1"
"""
UNIT_DOT = """digraph units {
  rx[flowunit=httpserver_sync_receive]
  a[flowunit=shout]
  tx[flowunit=httpserver_sync_reply]
  rx:out_request_info -> a:in_1
  a:out_1 -> tx:in_reply_info
}"""


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (None, "there is no file {folder}/shout.py"),
        ("class Shout(:\n", "{folder}/shout.py, line 1: "),
        ("class Whisper:\n  pass\n", "{folder}/shout.py has no class 'Shout'"),
    ],
)
def test_code_of_python_units_that_could_not_be_loaded(tmp_path: Path, code: str | None, reason: str) -> None:
    folder = tmp_path / "shout"
    folder.mkdir()
    (folder / "shout.toml").write_text(UNIT)
    if code is not None:
        (folder / "shout.py").write_text(code)
    graph = toml_graph(tmp_path, UNIT_DOT, 0, f'[driver]\ndir = "{tmp_path}"\n')
    done = flow("check", graph)
    assert done.returncode == 1
    assert done.stdout.startswith(f"{graph}: Invalid argument, import shout@Shout failed: ")
    assert reason.format(folder=folder) in done.stdout
    assert "node 'a', unit 'shout'" in done.stdout


@pytest.mark.parametrize(
    "code",
    ["class Shout: pass", "from elsewhere import Shout", "from elsewhere import *", "if 1:\n  Shout = object"],
)
def test_code_is_not_run_and_not_doubted(tmp_path: Path, code: str) -> None:
    (tmp_path / "shout.toml").write_text(UNIT)
    (tmp_path / "shout.py").write_text(f"{code}\nraise SystemExit(3)\n")
    graph = toml_graph(tmp_path, UNIT_DOT, 0, f'[driver]\ndir = "{tmp_path}"\n')
    assert flow("check", graph).returncode == 0


def test_the_body_of_a_create_request(tmp_path: Path) -> None:
    right = Path(__file__).parent.parent.parent.parent / "examples" / "flow-example"
    assert flow("check", right).stdout == f"{right}: ok, 2 nodes, 1 edges\n"
    wrong = tmp_path / "body"
    wrong.write_text(right.read_text().replace(":in_reply_info", ":in_replyinfo"))
    done = flow("check", wrong)
    assert done.returncode == 1
    assert done.stdout.startswith(f"{wrong}:5: Bad config, ")
    assert "(line 6; did you mean 'in_reply_info'?)" in done.stdout
    toml = {"job_id": "x", "job_graph": '[graph]\nformat = "graphviz\n'}
    wrong.write_text(json.dumps(toml))
    done = flow("check", wrong)
    assert done.stdout.startswith(f"{wrong}: job_graph: Fault, Load config file failed")


@pytest.mark.parametrize(
    ("written", "remark"),
    [
        ("rx[endpont=x, ", "node 'rx': nothing reads endpont; did you mean endpoint?"),
        ("rx[max_requests=many, ", "node 'rx': max_requests = 'many' cannot be read as int, so its default holds"),
        ("tx[batch_sise=3, ", "node 'tx': nothing reads batch_sise; did you mean batch_size?"),
        ("tx[batch_size=x, ", "node 'tx': batch_size = 'x' cannot be read as int, so its default holds"),
        ("tx[batch_size=4, ", "node 'tx': batch_size = 4 counts as 1, more its unit does not take"),
        ("tx[queue_size_in_reply_inf=4, ", "did you mean queue_size_in_reply_info?"),
        ("tx[need_check_output=yes, ", "node 'tx': need_check_output = 'yes' cannot be read as bool"),
        ("tx[queue_size_event=4, ", "node 'tx': queue_size_event does nothing, as in ModelBox"),
        ("tx[is_exception_visible=true, ", "node 'tx': is_exception_visible does nothing, as in ModelBox"),
    ],
)
def test_what_looks_like_a_mistake_is_remarked_on(written: str, remark: str) -> None:
    dot = ECHO_DOT.replace("PORT", "1").replace(f"{written[:2]}[", written)
    said = list(remarks(compile_graph(json.dumps({"graph": {"format": "graphviz", "graphconf": dot}}))))
    assert len(said) == 1
    assert remark in said[0]


def test_remarks_are_warnings_and_the_graph_is_right(tmp_path: Path) -> None:
    graph = toml_graph(tmp_path, ECHO_DOT.replace("tx[", 'tx[color=red, label="x", colour=3, batch_sise=3, '), 1)
    done = flow("check", graph)
    assert (done.returncode, done.stdout) == (0, f"{graph}: ok, 2 nodes, 1 edges\n")
    assert done.stderr == f"{graph}: warning: node 'tx': nothing reads batch_sise; did you mean batch_size?\n"
