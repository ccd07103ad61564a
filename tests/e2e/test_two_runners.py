"""A second runner waits, and leads within two seconds of the first one's death."""

import os
import signal
import subprocess
import time
from pathlib import Path

from tests.e2e.test_first_flow import ask
from tests.installation import Installation, echo_flow, free_port
from tests.postgres import Postgres
from tests.processes import kill_all


def test_a_second_runner_takes_over(installation: Installation) -> None:
    installation.start()
    assert installation.create("aa", echo_flow(free_port())).status_code == 201
    before = installation.engines()
    second = subprocess.Popen(installation.command("runner"), stderr=subprocess.PIPE)
    try:
        time.sleep(1.0)  # it gets the time to do harm, if it would
        assert second.poll() is None
        assert installation.engines() == before
        pids = installation.processes()
        assert installation.process is not None
        # the supervisor would start the first runner again at once
        installation.process.send_signal(signal.SIGSTOP)
        (first,) = [p for p, title in pids.items() if title.split()[1] == "runner" and p != second.pid]
        os.kill(first, signal.SIGKILL)
        killed = time.monotonic()
        assert installation.create("bb", echo_flow(free_port())).status_code == 201
        assert time.monotonic() - killed < 2.0
        assert installation.engines()["aa"] == before["aa"]
        assert len(installation.engines()["bb"]) == 1
    finally:
        second.kill()
        second.communicate()
        kill_all(installation.state_dir)


def test_a_paused_leader_that_comes_back_changes_nothing(installation: Installation) -> None:
    """Its lock is gone only when it dies; what fences it is its epoch, tested on the store. Here: SIGSTOP of
    the leader stops nobody from reading, and after SIGCONT all goes on."""
    installation.start()
    assert installation.create("aa", echo_flow(free_port())).status_code == 201
    (leader,) = [p for p, title in installation.processes().items() if title.split()[1] == "runner"]
    os.kill(leader, signal.SIGSTOP)
    assert installation.word("aa") == "RUNNING"
    accepted = installation.http.put(
        installation.base,
        json={"job_id": "bb", "job_graph": echo_flow(free_port())},
        headers={"Prefer": "respond-async"},
    )
    assert (accepted.status_code, accepted.json()["job_status"]) == (202, "PENDING")
    os.kill(leader, signal.SIGCONT)
    installation.wait_for("bb", "RUNNING")


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
