"""`job watch` and `job top` under way: kill -9 of the server, Ctrl-C, a terminal, a reader that goes away."""

import json
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.program import Shell
from tests.installation import PROGRAM, Installation, bad_flow, echo_flow


def test_kill_nine_of_the_server_under_watch(tmp_path: Path) -> None:
    with Installation(tmp_path / "state") as server:
        shell = Shell(tmp_path, f"http://127.0.0.1:{server.start().port}")
        with shell.started("job", "watch", "--after", 0, "-o", "json") as watch:
            server.create("one", bad_flow())
            watch.wait_for('"engine-failed"')
            server.kill_everything()
            watch.wait_for("trying again", n=1)
            server.start()
            server.delete("one")
            watch.wait_for('"job-deleted"')
            assert "connected again" in watch.errors
            entries = [json.loads(line) for line in watch.text.splitlines()]
            assert [entry["position"] for entry in entries] == list(range(1, len(entries) + 1))
            watch.interrupt()
            assert watch.end() == 130
            assert "Traceback" not in watch.errors


def test_watch_in_a_pipe_tells_one_line_an_event(server: Installation, shell: Shell) -> None:
    server.create("plain", bad_flow())
    done = shell.run("job", "watch", "plain", "--after", 0, "--count", 3)
    lines = done.stdout.splitlines()
    assert [re.sub(r"pid .*|, for good.*", "", line.split("  ")[-1]) for line in lines] == [
        "created over REST",
        "attempt 1 started: ",
        "attempt 1 failed",
    ]
    assert "\x1b" not in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("arguments", ["watch piped --after 0", "logs piped --follow"])
def test_what_follows_ends_with_its_reader_though_nothing_more_happens(
    server: Installation, shell: Shell, arguments: str
) -> None:
    server.create("piped", echo_flow(server.flow_port))
    # bash waits for all of the pipe; the exit codes tell how each part ended
    script = f"{PROGRAM} job {arguments} | head -1 > /dev/null; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, timeout=30, env=shell.environ, cwd=shell.home
    )
    assert done.stdout.strip() == str(128 + signal.SIGPIPE)
    assert "Traceback" not in done.stderr


def test_watch_on_a_terminal_has_colours_and_a_foot(server: Installation, shell: Shell) -> None:
    with shell.on_terminal("job", "watch", "seen", "--after", 0) as nothing:
        assert nothing.end() == 4
        assert "no such job" in nothing.text
    server.create("seen", bad_flow())
    with shell.on_terminal("job", "watch", "seen", "--after", 0) as watch:
        watch.wait_for("watching; Ctrl-C ends it")
        watch.wait_for("created over REST")
        watch.wait_for("attempt 1 failed")
        assert re.search(r"\x1b\[[0-9;]*31m", watch.text)
        watch.type("\x03")
        assert watch.end() == 130
        assert "Traceback" not in watch.text
        assert watch.text.rpartition("\x1b[?25")[2].startswith("h")  # the cursor is there again


def test_list_on_a_terminal_has_colours_and_its_width(server: Installation, shell: Shell) -> None:
    server.create("coloured", bad_flow())
    with shell.on_terminal("job", "list", "--text", "coloured", width=50) as listed:
        assert listed.end() == 0
    assert "\x1b[31mFAILED" in listed.text
    plain = re.sub(r"\x1b\[[0-9;]*m", "", listed.text)
    assert max(map(len, plain.splitlines())) <= 50
    shell.environ["NO_COLOR"] = "1"
    with shell.on_terminal("job", "list", "--text", "coloured") as listed:
        assert listed.end() == 0
    assert "\x1b" not in listed.text


def test_top_on_a_terminal_follows_what_changes(server: Installation, shell: Shell) -> None:
    with shell.on_terminal("job", "top", "-d", 0.1) as top:
        top.wait_for("position")
        server.create("risen", echo_flow(server.flow_port, "/risen"))
        top.wait_for("risen")
        top.wait_for("RUNNING")
        top.type("\x03")
        assert top.end() == 130
        assert "\x1b[?1049l" in top.text  # the terminal has its own screen again
        assert "Traceback" not in top.text


def test_a_reader_that_goes_away_ends_it_quietly(shell: Shell) -> None:
    with subprocess.Popen(
        f"{PROGRAM} job top -d 0.1 | head -1",
        shell=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=shell.environ,
        text=True,
    ) as pipeline:
        output, errors = pipeline.communicate(timeout=30)
    assert "  position " in output
    assert errors == ""
