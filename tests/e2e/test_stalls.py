"""A flow that has input and makes no progress: told in status and history, ended where its policy says so."""

import time
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_crash_loops import history
from tests.e2e.test_flow_ends import flow, units_in
from tests.installation import Installation


@pytest.fixture
def server(sqlite_installation: Installation, tmp_path: Path) -> Installation:
    """One that has little patience with units that do not return."""
    conf = tmp_path / "server.toml"
    conf.write_text("[engine]\nstop_grace = 0.1\n")
    sqlite_installation.options += ["--conf", str(conf)]
    return sqlite_installation.start()


def waiting_flow(folder: Path) -> tuple[dict[str, Any], Path]:
    """A flow whose sink does not return before a file is there, and the file."""
    go = folder / "go"
    return flow(units_in(folder), f', waits_for="{go}"'), go


def test_a_stall_is_told_and_so_is_its_end(installation: Installation, tmp_path: Path) -> None:
    installation.start()
    graph, go = waiting_flow(tmp_path / "units")
    installation.create("stalls", graph, options={"stall_after": 0.4})
    installation.wait_until("stalls", lambda status: "stalled" in status)

    status = installation.status("stalls").json()
    assert status["job_status"] == "RUNNING"
    (node,) = status["stalled"]["nodes"]
    assert node == {"node": "sink", "unit": "sink", "reason": "its unit has not returned"}
    installation.kill_server()
    installation.start()
    assert installation.status("stalls").json() == status
    time.sleep(0.3)  # what the engine says to its new runner changes nothing
    assert installation.status("stalls").json() == status

    go.touch()
    installation.wait_until("stalls", lambda status: "stalled" not in status)
    installation.wait_for("stalls", "SUCCEEDED")
    rows = history(installation, "stalls")
    told = [row for row in rows if row.type.startswith("flow-")]
    assert [row.type for row in told] == ["flow-stalled", "flow-recovered", "flow-succeeded"]
    assert "in process" in told[0].data["nodes"][0]["stacks"][0]
    assert told[0].data["reason"].startswith("node 'sink' has made no progress for ")


def test_a_flow_that_stalls_is_started_again(server: Installation, tmp_path: Path) -> None:
    graph, _ = waiting_flow(tmp_path / "units")
    restart = {"attempts": 1, "delay": 0, "on_stall": True}
    server.create("stalls", graph, options={"stall_after": 0.4, "restart": restart})
    server.wait_for("stalls", "FAILED")

    status = server.status("stalls").json()
    assert (status["attempt"], status["failures"]) == (2, 2)
    assert status["job_error_msg"].startswith("Stalled, node 'sink' has made no progress for ")
    assert "stalled" not in status
    assert server.engines() == {}
    types = [row.type for row in history(server, "stalls")]
    assert types[1:] == ["engine-started", "engine-ready", "flow-stalled", "engine-failed"] * 2


@pytest.mark.parametrize("restart", [{}, {"policy": "never", "on_stall": True}])
def test_a_flow_that_stalls_is_left_alone_otherwise(
    server: Installation, tmp_path: Path, restart: dict[str, Any]
) -> None:
    graph, _ = waiting_flow(tmp_path / "units")
    server.create("stalls", graph, options={"stall_after": 0.3, "restart": restart})
    server.wait_until("stalls", lambda status: "stalled" in status)
    engines = server.engines()
    time.sleep(0.5)
    assert server.engines() == engines
    assert server.delete("stalls").status_code == 204


def test_without_a_limit_nothing_stalls(server: Installation, tmp_path: Path) -> None:
    graph, go = waiting_flow(tmp_path / "units")
    server.create("waits", graph, options={"stall_after": 0})
    time.sleep(0.5)
    assert "stalled" not in server.status("waits").json()
    go.touch()
    server.wait_for("waits", "SUCCEEDED")
