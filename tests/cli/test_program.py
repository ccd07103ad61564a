"""The command line as a whole: its page, its completion, what it loads."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from server.cli import cli
from server.commands.cli_markdown import markdown
from server.commands.exits import MEANINGS, Exit
from tests.cli.program import Shell
from tests.installation import PROGRAM, Installation, bad_flow, free_port

ROOT = Path(__file__).parent.parent.parent


def test_the_page_is_what_the_commands_say() -> None:
    """When this fails: modelbox-server cli-doc > docs/cli.md"""
    assert (ROOT / "docs" / "cli.md").read_text() == markdown(cli)


def test_every_exit_code_has_a_meaning() -> None:
    assert MEANINGS.keys() == set(Exit)


@pytest.mark.parametrize(
    ("command", "forbidden"),
    [
        ([], ["httpx", "rich", "yaml", "sanic", "sqlalchemy", "server.client", "server.flow"]),
        (["job", "list", "--help"], ["httpx", "rich", "yaml", "sanic", "sqlalchemy", "server.flow"]),
        (["job", "list"], ["rich", "pygments", "yaml", "sanic", "sqlalchemy", "server.flow"]),
    ],
)
def test_a_command_loads_only_what_it_needs(tmp_path: Path, command: list[str], forbidden: list[str]) -> None:
    code = "import sys; from server.cli import main\ntry: main()\nfinally: print('loaded:', *sys.modules)"
    url = f"http://127.0.0.1:{free_port()}"
    environ = os.environ | {"MODELBOX_URL": url, "XDG_CONFIG_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, env=environ)
    loaded = done.stdout.rpartition("loaded:")[2].split()
    assert "server.cli_job" in loaded
    assert [name for name in forbidden if name in loaded] == []


def complete(shell: Shell, words: str) -> list[str]:
    environ = shell.environ | {
        "_MODELBOX_SERVER_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(words.count(" ")),
    }
    done = subprocess.run([str(PROGRAM)], capture_output=True, text=True, env=environ, timeout=30)
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


def test_commands_and_job_ids_are_completed(server: Installation, shell: Shell) -> None:
    server.create("complete-a", bad_flow())
    server.create("complete-b", bad_flow())
    assert complete(shell, "modelbox-server job sh") == ["show"]
    assert complete(shell, "modelbox-server job show complete-") == ["complete-a", "complete-b"]
    assert complete(shell, f"modelbox-server job show --url http://127.0.0.1:{free_port()} c") == []


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_the_completion_of_each_shell_names_the_program(shell: Shell, name: str) -> None:
    done = shell.run("completion", name)
    assert done.returncode == 0
    assert f"_MODELBOX_SERVER_COMPLETE={name}_complete" in done.stdout
