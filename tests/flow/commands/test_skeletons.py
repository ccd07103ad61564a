"""`flow new-unit` and `flow new-project`: what they make works, and they overwrite nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.flow.commands.program import environ, flow

KINDS = ("normal", "stream", "condition", "expand", "collapse")


def pytest_in(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio", "-W", "error"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, env=environ())


def test_units_of_all_kinds_pass_their_own_tests(tmp_path: Path) -> None:
    for kind in KINDS:
        done = flow("new-unit", f"my_{kind}", "--kind", kind, "--dir", tmp_path)
        assert done.returncode == 0, done.stderr
        wide = ["--input", "left", "--input", "right", "--output", "one", "--output", "two"]
        done = flow("new-unit", f"wide_{kind}", "--kind", kind, "--dir", tmp_path, *wide)
        assert done.returncode == 0, done.stderr
    done = pytest_in(tmp_path)
    assert done.returncode == 0, done.stdout
    assert "20 passed" in done.stdout


def test_a_project_passes_its_own_tests(tmp_path: Path) -> None:
    done = flow("new-project", "my-project", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:2] == ["my-project/README.md", "my-project/graph/my-project.toml"]
    done = pytest_in(tmp_path / "my-project")
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "mine.py").write_text("precious")
    for command in (["new-unit", "mine"], ["new-unit", "mine", "--kind", "stream"]):
        done = flow(*command, "--dir", tmp_path)
        assert done.returncode == 2
        assert done.stderr == f"{tmp_path}/mine/mine.py is there already; nothing was written\n"
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["mine.py"]
    assert (tmp_path / "mine" / "mine.py").read_text() == "precious"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Upper", "small letters"),
        ("../up", "small letters"),
        ("", "small letters"),
        ("a" * 65, "at most 64"),
        ("class", "word of Python"),
        ("json", "module of Python"),
        ("httpserver_sync_reply", "unit of the engine"),
    ],
)
def test_names_of_units_are_checked(tmp_path: Path, name: str, reason: str) -> None:
    done = flow("new-unit", name, "--dir", tmp_path)
    assert done.returncode == 2
    assert reason in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["../up", "a/b", "-x", "", "a b"])
def test_names_of_projects_are_checked(tmp_path: Path, name: str) -> None:
    done = flow("new-project", "--dir", tmp_path, "--", name)
    assert done.returncode == 2
    assert "is no name of a project" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--input", "a b"], "is no name of an input"),
        (["--output", "x", "--output", "x"], "named twice"),
        (["--kind", "condition", "--output", "only"], "at least twice"),
        (["--kind", "loop"], "Invalid value"),
    ],
)
def test_ports_and_kinds_are_checked(tmp_path: Path, options: list[str], reason: str) -> None:
    done = flow("new-unit", "mine", "--dir", tmp_path, *options)
    assert done.returncode == 2
    assert reason in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = flow("new-project", "mine", "--dir", tmp_path / "file")
    assert done.returncode == 2
    assert "Not a directory" in done.stderr
