"""Real crash loops: few rows in the log, and a runner that dies in a round of which the log does not know."""

import os
import signal
import time
from pathlib import Path
from typing import Any

from server.failpoints import VARIABLE, Action, Failpoint, arm, has_fired
from tests.e2e.test_flow_ends import flow, units_in
from tests.history import Row, read_history
from tests.installation import Installation, echo_flow, free_port

AT_ONCE = {"delay": 0, "delay_max": 0}
LEFT_OUT = 10
"""A round of which the log does not know."""


def crashing_flow(folder: Path) -> dict[str, Any]:
    return flow(units_in(folder), ", crashes=true")


def history(installation: Installation, job_id: str) -> list[Row]:
    database: str | Path = installation.database_url or installation.state_dir / "modelbox.db"
    return [row for row in read_history(database) if row.job_id == job_id]


def test_a_flow_that_crashes_again_and_again(sqlite_installation: Installation, tmp_path: Path) -> None:
    installation = sqlite_installation.start()
    options = {"restart": {**AT_ONCE, "attempts": 18}}
    installation.create("loops", crashing_flow(tmp_path / "units"), options=options)
    installation.wait_for("loops", "FAILED", 60)

    status = installation.status("loops").json()
    assert (status["attempt"], status["failures"], status["next_retry"]) == (19, 19, None)
    assert (status["last_exit"]["attempt"], status["last_exit"]["signal"]) == (19, signal.SIGABRT)
    rows = history(installation, "loops")
    assert len(rows) < 40
    told = [row.data["attempts"] for row in rows if row.type == "attempts-summed-up"]
    assert told == [7, 2]
    assert installation.run("db", "verify").returncode == 0


def to_a_round_left_out(installation: Installation, job_id: str) -> int:
    """Kills the job's engine until it is in such a round; the pid of the engine of that round."""
    for attempt in range(1, LEFT_OUT):
        (pid,) = installation.engines()[job_id]
        os.kill(pid, signal.SIGKILL)
        installation.wait_until(
            job_id, lambda status, n=attempt + 1: status["job_status"] == "RUNNING" and status.get("attempt") == n
        )
    (pid,) = installation.engines()[job_id]
    (last,) = (row.data["attempt"] for row in history(installation, job_id)[-1:])
    assert last < LEFT_OUT
    return pid


def test_the_server_is_killed_in_a_round_that_is_not_in_the_log(installation: Installation) -> None:
    installation.start()
    created = installation.create("loops", echo_flow(free_port()), options={"restart": AT_ONCE})
    assert created.status_code == 201
    pid = to_a_round_left_out(installation, "loops")

    installation.kill_server()
    installation.start()

    assert installation.word("loops") == "RUNNING"
    assert installation.engines() == {"loops": [pid]}
    assert [row.type for row in history(installation, "loops")][-4:] == [
        "attempts-summed-up",
        "engine-started",
        "engine-ready",
        "engine-adopted",
    ]
    assert installation.run("db", "verify").returncode == 0


def test_everything_is_killed_in_a_round_that_is_not_in_the_log(sqlite_installation: Installation) -> None:
    installation = sqlite_installation.start()
    created = installation.create("loops", echo_flow(free_port()), options={"restart": AT_ONCE})
    assert created.status_code == 201
    to_a_round_left_out(installation, "loops")

    installation.kill_everything()
    installation.start()

    installation.wait_for("loops", "RUNNING")
    status = installation.status("loops").json()
    assert (status["attempt"], status["failures"]) == (LEFT_OUT + 1, LEFT_OUT - 1)
    assert "gone" in status["last_exit"]["message"]
    assert len(installation.engines()["loops"]) == 1
    assert installation.delete("loops").status_code == 204
    assert installation.run("db", "verify").returncode == 0


IN_A_ROUND = (
    Failpoint.RUNNER_TOOK_NEWS,
    Failpoint.RUNNER_BEFORE_START,
    Failpoint.RUNNER_ENGINE_STARTED,
    Failpoint.RUNNER_RECORDED,
    Failpoint.STORE_BEFORE_COMMIT,
    Failpoint.STORE_AFTER_COMMIT,
)


def test_the_runner_dies_at_each_step_of_such_rounds(sqlite_installation: Installation, tmp_path: Path) -> None:
    installation = sqlite_installation
    armoury = tmp_path / "failpoints"
    armoury.mkdir()
    installation.environ[VARIABLE] = str(armoury)
    installation.start()
    created = installation.create("loops", echo_flow(free_port()), options={"restart": AT_ONCE})
    assert created.status_code == 201
    to_a_round_left_out(installation, "loops")
    for point in IN_A_ROUND:
        before = installation.status("loops").json()["attempt"]
        arm(armoury, point, Action.CRASH, process="runner")
        (pid,) = installation.engines()["loops"]
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 20
        while not has_fired(armoury, point):
            assert time.monotonic() < deadline, point
            assert len(installation.engines().get("loops", [])) <= 1
        installation.wait_until(
            "loops", lambda status, n=before: status["job_status"] == "RUNNING" and status["attempt"] > n
        )
        (now,) = installation.engines()["loops"]
        assert now != pid
    assert installation.run("db", "verify").returncode == 0


def test_the_server_is_killed_again_and_again_while_a_flow_crashes(
    sqlite_installation: Installation, tmp_path: Path
) -> None:
    installation = sqlite_installation.start()
    options = {"restart": {**AT_ONCE, "attempts": 18}}
    installation.create("loops", crashing_flow(tmp_path / "units"), options=options)
    for _ in range(2):
        before = installation.status("loops").json().get("attempt", 0)
        installation.wait_until("loops", lambda status, n=before: status.get("attempt", 0) > n + 3)
        installation.kill_server()
        deadline = time.monotonic() + 0.3
        while time.monotonic() < deadline:
            assert len(installation.engines().get("loops", [])) <= 1
        installation.start()
    installation.wait_for("loops", "FAILED", 60)
    assert installation.engines() == {}
    assert installation.run("db", "verify").returncode == 0
