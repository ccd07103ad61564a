"""Two runners on one log: one leads, the other waits, and takes over with the next epoch."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.e2e.test_first_flow import ask
from tests.e2e.test_flow_ends import flow, units_in
from tests.history import Row, read_history
from tests.installation import Installation, echo_flow, free_port
from tests.postgres import Postgres
from tests.processes import kill_all


def history(installation: Installation) -> list[Row]:
    return read_history(installation.database_url or installation.state_dir / "modelbox.db")


def epochs_of(rows: list[Row], event_type: str) -> list[int | None]:
    return [row.epoch for row in rows if row.type == event_type]


def part(installation: Installation, name: str, *but: int) -> int:
    (pid,) = [
        pid for pid, title in installation.processes().items() if title.split()[1] == name and pid not in but
    ]
    return pid


def wait_until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


@contextmanager
def second_runner(installation: Installation) -> Iterator["subprocess.Popen[bytes]"]:
    second = subprocess.Popen(installation.command("runner"), stderr=subprocess.DEVNULL)
    try:
        yield second
    finally:
        second.kill()
        second.wait()
        kill_all(installation.state_dir)


def take_its_lock_away(installation: Installation) -> None:
    """As if the leader's machine had lost its way to the database; paused, it does not notice."""
    if installation.database_url is None:
        (installation.state_dir / "modelbox.db.leader.lock").unlink()
        return
    with psycopg.connect(installation.database_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )


def test_a_second_runner_waits_and_takes_over(installation: Installation) -> None:
    installation.start()
    assert installation.create("aa", echo_flow(free_port())).status_code == 201
    before = installation.engines()
    with second_runner(installation) as second:
        wait_until(lambda: "runner" in installation.processes().get(second.pid, ""), "the second runner is there")
        first = part(installation, "runner", second.pid)
        # answered by the first one, the other one waits
        assert installation.create("bb", echo_flow(free_port())).status_code == 201
        assert epochs_of(history(installation), "leader-elected") == [1]
        # the supervisor would start the first runner again at once
        os.kill(part(installation, "serve"), signal.SIGSTOP)
        os.kill(first, signal.SIGKILL)
        assert installation.create("cc", echo_flow(free_port())).status_code == 201
        rows = history(installation)
        assert epochs_of(rows, "leader-elected") == [1, 2]
        assert epochs_of(rows, "engine-started") == [1, 1, 2]
        assert sorted(row.job_id or "" for row in rows if row.type == "engine-adopted") == ["aa", "bb"]
        assert installation.engines()["aa"] == before["aa"]
        assert [len(pids) for pids in installation.engines().values()] == [1, 1, 1]


def test_a_paused_leader_that_comes_back_changes_nothing(installation: Installation) -> None:
    installation.start()
    for job in ("aa", "bb", "cc"):
        assert installation.create(job, echo_flow(free_port())).status_code == 201
    with second_runner(installation) as second:
        wait_until(lambda: "runner" in installation.processes().get(second.pid, ""), "the second runner is there")
        first = part(installation, "runner", second.pid)
        os.kill(part(installation, "serve"), signal.SIGSTOP)
        os.kill(first, signal.SIGSTOP)
        take_its_lock_away(installation)
        wait_until(lambda: epochs_of(history(installation), "leader-elected") == [1, 2], "the second runner leads")
        # things happen that the first one has to make sense of when it wakes up
        assert installation.delete("aa").status_code == 204
        assert installation.create("aa", echo_flow(free_port())).status_code == 201
        assert installation.delete("bb").status_code == 204
        (killed,) = installation.engines()["cc"]
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: installation.engines().get("cc", [killed]) != [killed], "cc has another engine")
        installation.wait_for("cc", "RUNNING")
        engines, rows = installation.engines(), history(installation)

        os.kill(first, signal.SIGCONT)
        wait_until(lambda: first not in installation.processes(), "the first runner gives up")

        assert installation.engines() == engines
        assert set(engines) == {"aa", "cc"}
        assert history(installation) == rows
        assert installation.create("dd", echo_flow(free_port())).status_code == 201
        assert [installation.word(job) for job in ("aa", "bb", "cc")] == ["RUNNING", "NOTEXIST", "RUNNING"]


def test_engines_of_another_installation_on_one_database_are_adopted(postgres: Postgres, tmp_path: Path) -> None:
    """Two servers on one Postgres: when the leading one dies, its engines live, and the other takes them over."""
    url = postgres.new_database()
    with Installation(tmp_path / "one", url) as one, Installation(tmp_path / "two", url) as two:
        one.start()
        two.start()
        port = free_port()
        assert two.create("aa", echo_flow(port)).status_code == 201
        before = one.engines()
        assert len(before["aa"]) == 1
        one.kill_server()
        # answered by the second server's runner
        assert two.create("bb", echo_flow(free_port())).status_code == 201
        assert (one.engines(), set(two.engines())) == (before, {"bb"})
        assert two.word("aa") == "RUNNING"
        assert ask(port).content == b"hello"
        # its next engine starts at home, on the same port
        os.kill(before["aa"][0], signal.SIGKILL)
        two.wait_for("aa", "PENDING")
        two.wait_for("aa", "RUNNING")
        assert ask(port).content == b"hello"
        assert set(two.engines()) == {"aa", "bb"}
        assert two.delete("aa").status_code == 204
        assert two.create("cc", echo_flow(port)).status_code == 201


def test_engines_that_were_cut_off_end_when_their_machine_is_back(postgres: Postgres, tmp_path: Path) -> None:
    """Another machine: an installation in a process name space of its own, whose pids mean nothing outside."""
    inside = ["unshare", "--fork", "--pid", "--mount-proc", "--kill-child"]
    if subprocess.run([*inside, "true"], capture_output=True).returncode != 0:
        pytest.skip("no process name space may be made here")
    conf, units, url = tmp_path / "server.toml", units_in(tmp_path / "units"), postgres.new_database()
    conf.write_text("[engine]\nstop_grace = 0.1\n")
    options = (url, "--conf", str(conf))
    with Installation(tmp_path / "far", *options) as far, Installation(tmp_path / "near", *options) as near:
        far.wrapper = inside
        far.start()
        near.start()
        # a flow without a port: both machines have the same ones here
        assert near.create("aa", flow(units, ", hangs=true")).status_code == 201
        assert (len(far.engines()["aa"]), near.engines()) == (1, {})
        cut_off = part(far, "runner")
        os.kill(cut_off, signal.SIGSTOP)
        take_its_lock_away(far)
        wait_until(lambda: len(near.engines().get("aa", [])) == 1, "the job runs near")
        near.wait_for("aa", "RUNNING")
        # nobody can tell the other one before its runner is back
        assert len(far.engines()["aa"]) == 1
        here = near.engines()
        os.kill(cut_off, signal.SIGCONT)
        wait_until(lambda: far.engines() == {}, "the engine that was cut off ends")
        assert near.engines() == here
        assert near.word("aa") == "RUNNING"
        assert epochs_of(history(near), "leader-elected") == [1, 2]
