"""The README's commands give the README's output: run word for word, but for ports and the state directory."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.installation import Installation, free_port

ROOT = Path(__file__).parent.parent.parent
STATE = "~/.local/state/modelbox-server"


def commands() -> list[tuple[str, str]]:
    """(command, expected output) of every console block, in order."""
    found: list[tuple[str, str]] = []
    for block in re.findall(r"```console\n(.*?)```", (ROOT / "README.md").read_text(), re.S):
        for part in block.split("$ ")[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output))
    return found


def comparable(text: str) -> str:
    """Without what differs from run to run: pid, machine, the width of columns."""
    lines = [re.sub(r" {2,}", "  ", line).rstrip() for line in text.strip().splitlines()]
    return re.sub(r"pid \d+ on \S+", "pid P on H", "\n".join(lines))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Installation]:
    with Installation(tmp_path / "state") as installation:
        yield installation.start()


@pytest.mark.skipif(
    not shutil.which("curl") or not shutil.which("sqlite3"), reason="needs the tools that the README uses"
)
def test_the_readme_tells_the_truth(server: Installation, tmp_path: Path) -> None:
    flow_port = str(free_port())

    def here(text: str) -> str:
        ported = text.replace("1104", str(server.port)).replace("8080", flow_port)
        return ported.replace(STATE, str(server.state_dir))

    examples = tmp_path / "examples"
    examples.mkdir()
    for path in (ROOT / "examples").iterdir():
        if path.is_file():
            (examples / path.name).write_text(here(path.read_text()))
    (cd, _), *rest = commands()
    assert cd == "cd examples"
    assert len(rest) >= 12
    for command, expected in rest:
        quiet = here(command).replace("curl ", "curl -sS ")
        environ = os.environ | {"no_proxy": "*"}
        done = subprocess.run(quiet, shell=True, cwd=examples, capture_output=True, text=True, env=environ)
        assert comparable(done.stdout) == comparable(here(expected)), f"{command}\n{done.stderr}"
