"""`options.restart`: what becomes of a job whose engine is killed."""

import os
import signal
from datetime import datetime
from pathlib import Path

from tests.e2e.test_first_flow import ask
from tests.history import read_history
from tests.installation import Installation, echo_flow, free_port


def kill_engine(installation: Installation, job_id: str) -> None:
    (pid,) = installation.engines()[job_id]
    os.kill(pid, signal.SIGKILL)


def history_types(installation: Installation) -> list[str]:
    database: str | Path = installation.database_url or installation.state_dir / "modelbox.db"
    return [row.type for row in read_history(database) if row.job_id is not None]


def test_never(installation: Installation) -> None:
    installation.start()
    options = {"restart": {"policy": "never"}}
    assert installation.create("once", echo_flow(free_port()), options=options).status_code == 201
    kill_engine(installation, "once")
    installation.wait_for("once", "FAILED")
    assert "signal 9" in installation.status("once").json()["job_error_msg"]
    installation.kill_everything()
    installation.start()
    assert installation.word("once") == "FAILED"
    assert history_types(installation).count("engine-started") == 1


def test_a_number_of_attempts_that_outlives_the_server(installation: Installation) -> None:
    installation.start()
    port = free_port()
    options = {"restart": {"attempts": 2, "delay": 0.1, "delay_max": 0.1}}
    assert installation.create("thrice", echo_flow(port), options=options).status_code == 201
    for failure in range(2):
        kill_engine(installation, "thrice")
        assert ask(port).content == b"hello"
        installation.wait_for("thrice", "RUNNING")
        if failure == 0:
            installation.kill_server()
            installation.start()
    kill_engine(installation, "thrice")
    installation.wait_for("thrice", "FAILED")
    assert history_types(installation).count("engine-started") == 3


def test_a_job_waits_pending_for_its_next_attempt(installation: Installation) -> None:
    installation.start()
    options = {"restart": {"delay": 60, "delay_max": 60}}
    assert installation.create("later", echo_flow(free_port()), options=options).status_code == 201
    kill_engine(installation, "later")
    installation.wait_for("later", "PENDING")
    status = installation.status("later").json()
    assert "signal 9" in status["job_error_msg"]
    assert (status["attempt"], status["failures"]) == (1, 1)
    last_exit = status["last_exit"]
    assert (last_exit["attempt"], last_exit["code"], last_exit["signal"]) == (1, None, 9)
    assert last_exit["out_of_memory"] is False
    away = datetime.fromisoformat(status["next_retry"]) - datetime.fromisoformat(last_exit["at"])
    assert 45 < away.total_seconds() < 61
    # a restart of the server does not shorten the wait
    installation.kill_everything()
    installation.start()
    assert installation.status("later").json() == status
    assert installation.delete("later").status_code == 204


def test_the_last_exit_is_told_while_the_next_attempt_runs_well(sqlite_installation: Installation) -> None:
    installation = sqlite_installation.start()
    options = {"restart": {"delay": 0.1, "healthy_after": 1}}
    assert installation.create("again", echo_flow(free_port()), options=options).status_code == 201
    assert list(installation.status("again").json()) == ["job_error_msg", "job_id", "job_status"]
    kill_engine(installation, "again")
    installation.wait_until("again", lambda status: status["job_status"] == "RUNNING" and "last_exit" in status)
    status = installation.status("again").json()
    assert (status["attempt"], status["failures"], status["next_retry"]) == (2, 1, None)
    assert (status["last_exit"]["attempt"], status["last_exit"]["signal"]) == (1, 9)
    installation.wait_until("again", lambda status: status["failures"] == 0)
    assert history_types(installation)[-1] == "engine-healthy"


def test_options_that_make_no_sense_are_refused(installation: Installation) -> None:
    installation.start()
    answer = installation.create("odd", echo_flow(free_port()), options={"restart": {"policy": "maybe"}})
    assert (answer.status_code, answer.json()["error_code"]) == (400, "MODELBOX_006")
    assert "options.restart.policy" in answer.json()["error_msg"]
    assert installation.word("odd") == "NOTEXIST"
