"""Each example does what its line in examples/README.md says, by the commands given there."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.flow.commands.program import RunningFlow, environ, flow, running
from tests.installation import free_port

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "examples" / "README.md").read_text()
NAMES = sorted(folder.name for folder in (ROOT / "examples").iterdir() if folder.is_dir())


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """What stands for the repository's top: a copy of the examples, in which tests may change ports."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@contextmanager
def served(top: Path, example: str) -> Iterator[RunningFlow]:
    """The example by its command in the README, but on a free port."""
    graph = top / "examples" / example / "graph.toml"
    text, port = graph.read_text(), free_port()
    graph.write_text(re.sub(r"(127\.0\.0\.1:)\d+", rf"\g<1>{port}", text))
    with running(graph.relative_to(top), port, cwd=top) as under_way:
        yield under_way


def post(under_way: RunningFlow, body: str) -> str:
    answer = under_way.http.post("/", content=body)
    assert answer.status_code == 200, answer.text
    return answer.text


def test_every_example_is_in_the_readme_with_its_command() -> None:
    commands = re.findall(r"`(?:modelbox-server flow run|python) examples/([\w-]+)/[\w.]+`", README)
    assert sorted(commands) == NAMES


@pytest.mark.parametrize("name", [name for name in NAMES if name != "from-python"])
def test_every_graph_is_right_and_on_a_port_of_its_own(top: Path, name: str) -> None:
    done = flow("check", f"examples/{name}/graph.toml", cwd=top)
    assert (done.returncode, done.stderr) == (0, "")
    for url in re.findall(r"http://127\.0\.0\.1:\d+", (top / "examples" / name / "graph.toml").read_text()):
        assert url in README


def test_hello_world(top: Path) -> None:
    with served(top, "hello-world") as under_way:
        answer = under_way.http.post("/v1/hello_world", json={"msg": "hello world!"})
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/plain;charset=utf-8"
        assert re.fullmatch(r"Hello World! \w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}\0", answer.text)
        # ModelBox leaves a request without msg unanswered until its time-out
        assert under_way.http.post("/", json={}).status_code == 500


def test_condition(top: Path) -> None:
    with served(top, "condition") as under_way:
        assert [post(under_way, number) for number in ("500", "100", "101", "7")] == ["250", "100", "50", "7"]


def test_expand_collapse(top: Path) -> None:
    lists = [list(range(number)) for number in range(1, 30)]
    with served(top, "expand-collapse") as under_way, ThreadPoolExecutor(8) as clients:
        answers = clients.map(lambda numbers: post(under_way, json.dumps(numbers)), lists)
        assert [json.loads(answer) for answer in answers] == [[n * n for n in numbers] for numbers in lists]


def test_running_total_ends_by_itself(top: Path) -> None:
    done = flow("run", "examples/running-total/graph.toml", cwd=top)
    assert done.returncode == 0
    assert done.stdout.splitlines() == ["1 makes 1", "2 makes 3", "3 makes 6", "4 makes 10"]
    assert "succeeded after" in done.stderr


def test_batch(top: Path) -> None:
    done = flow("run", "examples/batch/graph.toml", cwd=top)
    assert done.returncode == 0
    assert done.stdout == "1000 points, mean distance 0.766, largest batch 32\n"


def test_from_python(top: Path) -> None:
    script = [sys.executable, "examples/from-python/drive.py"]
    done = subprocess.run(script, capture_output=True, text=True, timeout=60, cwd=top, env=environ())
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["HELLO!", "FROM!", "PYTHON!"]
