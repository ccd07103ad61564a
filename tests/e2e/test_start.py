"""What keeps a server from starting: one line, exit code 2, nothing half-started. And how it shows in `ps`."""

import os
import signal
import socket
import sqlite3
import subprocess
from pathlib import Path

import pytest

from tests.installation import PROGRAM, Installation, echo_flow, free_port
from tests.processes import processes_of


def refusal(*argv: str, **environ: str) -> str:
    done = subprocess.run(
        [str(PROGRAM), *argv], capture_output=True, text=True, timeout=60, env=os.environ | environ
    )
    assert done.returncode == 2, done
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    return lines[0]


def serve(state_dir: Path, *more: str) -> list[str]:
    return ["serve", "--state-dir", str(state_dir), "--port", str(free_port()), *more]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[server]\nprot = 1\n", "unknown key 'server.prot'"),
        ('[server]\nport = "x"\n', "server.port: expected int"),
        ("[server\n", "not valid TOML"),
        ('[acl]\nallow = ["10.0.0.0/99"]\n', "acl.allow"),
    ],
)
def test_a_bad_configuration(tmp_path: Path, text: str, words: str) -> None:
    conf = tmp_path / "bad.toml"
    conf.write_text(text)
    assert words in refusal(*serve(tmp_path / "state", "--conf", str(conf)))
    assert processes_of(tmp_path / "state") == {}


def test_a_bad_environment_variable(tmp_path: Path) -> None:
    line = refusal("serve", "--state-dir", str(tmp_path), MODELBOX_SERVER_PORT="many")
    assert "MODELBOX_SERVER_PORT" in line


def test_a_taken_port(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = refusal("serve", "--state-dir", str(tmp_path / "state"), "--port", str(port))
    assert f"127.0.0.1:{port}" in line
    assert processes_of(tmp_path / "state") == {}


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://nobody@127.0.0.1:1/none",
        "sqlite:////nonexistent/folder/x.db",
        "mysql://x/y",
        "not a url",
    ],
)
def test_an_unreachable_database(tmp_path: Path, url: str) -> None:
    for command in ("serve", "runner", "api"):
        line = refusal(command, "--state-dir", str(tmp_path / "state"), "--database-url", url)
        assert "database" in line
    assert processes_of(tmp_path / "state") == {}


def test_a_password_is_not_shown(tmp_path: Path) -> None:
    url = "postgresql://nobody:secret@127.0.0.1:1/none"
    assert "secret" not in refusal(*serve(tmp_path / "state", "--database-url", url))


def test_a_second_server_on_one_state_directory(tmp_path: Path) -> None:
    with Installation(tmp_path / "state").start() as first:
        assert str(first.state_dir) in refusal(*serve(first.state_dir))
        assert first.word("none") == "NOTEXIST"


def test_a_database_of_a_newer_program(tmp_path: Path) -> None:
    with Installation(tmp_path / "state") as installation:
        assert installation.run("db", "upgrade").returncode == 0
        with sqlite3.connect(installation.state_dir / "modelbox.db") as database:
            database.execute("update alembic_version set version_num = '9999'")
        database.close()
        assert "newer" in refusal(*serve(installation.state_dir))


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / "modelbox.db").write_bytes(b"this is no database at all" * 100)
    assert "database" in refusal(*serve(state))


def test_two_servers_side_by_side(tmp_path: Path) -> None:
    with Installation(tmp_path / "a").start() as one, Installation(tmp_path / "b").start() as two:
        assert one.create("same", echo_flow(free_port())).status_code == 201
        assert two.word("same") == "NOTEXIST"
        assert two.create("same", echo_flow(free_port())).status_code == 201
        two.kill_everything()
        assert one.word("same") == "RUNNING"


def test_every_process_shows_what_it_is(tmp_path: Path) -> None:
    with Installation(tmp_path / "state").start() as installation:
        assert installation.create("shown", echo_flow(free_port())).status_code == 201
        titles = sorted(installation.processes().values())
        suffix = f"[{installation.state_dir}]"
        assert titles == [
            f"modelbox-server: {what} {suffix}"
            for what in ("api", "engine host", "engine of job shown", "runner", "serve")
        ]


def test_a_long_state_directory(tmp_path: Path) -> None:
    """Unix socket paths end at 108 bytes; ours must not."""
    deep = tmp_path.joinpath(*["a-rather-long-folder-name"] * 8) / "state"
    deep.parent.mkdir(parents=True)
    with Installation(deep).start() as installation:
        assert installation.create("deep", echo_flow(free_port())).status_code == 201
        installation.kill_server()
        installation.start()
        assert installation.word("deep") == "RUNNING"


def test_serve_ends_cleanly_while_it_starts(tmp_path: Path) -> None:
    process = subprocess.Popen([str(PROGRAM), *serve(tmp_path / "state")], stderr=subprocess.PIPE)
    assert process.stderr is not None
    assert b"serving on" in process.stderr.readline()
    # nobody reads on: a server must not die of a log line that nobody wants
    process.stderr.close()
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    assert processes_of(tmp_path / "state") == {}
