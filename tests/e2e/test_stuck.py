"""An engine that exists and does not answer: UNKNOWN, not RUNNING; and RUNNING again when it answers."""

import os
import signal

from tests.e2e.test_first_flow import ask
from tests.installation import Installation, echo_flow, free_port


def test_a_stopped_engine_is_unknown_until_it_goes_on(sqlite_installation: Installation) -> None:
    installation = sqlite_installation.start()
    port = free_port()
    assert installation.create("stuck", echo_flow(port)).status_code == 201
    (pid,) = installation.engines()["stuck"]
    os.kill(pid, signal.SIGSTOP)
    installation.wait_for("stuck", "UNKNOWN")
    os.kill(pid, signal.SIGCONT)
    installation.wait_for("stuck", "RUNNING")
    assert installation.engines()["stuck"] == [pid]
    assert ask(port).content == b"hello"


def test_a_stopped_engine_is_deleted_like_any_other(sqlite_installation: Installation) -> None:
    installation = sqlite_installation.start()
    assert installation.create("stuck", echo_flow(free_port())).status_code == 201
    (pid,) = installation.engines()["stuck"]
    os.kill(pid, signal.SIGSTOP)
    assert installation.delete("stuck").status_code == 204
    assert installation.engines() == {}


def test_a_stopped_engine_is_adopted(sqlite_installation: Installation) -> None:
    installation = sqlite_installation.start()
    assert installation.create("stuck", echo_flow(free_port())).status_code == 201
    before = installation.engines()
    os.kill(before["stuck"][0], signal.SIGSTOP)
    installation.kill_server()
    installation.start()
    assert installation.engines() == before
    os.kill(before["stuck"][0], signal.SIGCONT)
    installation.wait_for("stuck", "RUNNING")
    assert installation.engines() == before
