"""The description is true of a server that runs: schemathesis asks it whatever it allows, and what it does not."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.described import hooks
from tests.installation import Installation, bad_flow, echo_flow

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
CONF = Path(hooks.__file__).with_name("schemathesis.toml")
ROOT = Path(__file__).parent.parent.parent
SHORT_SECONDS = 12
LONG_SECONDS = 600


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Installation]:
    """With jobs that hooks.py knows."""
    with Installation(tmp_path / "state") as installation:
        installation.start()
        assert installation.create("runs", echo_flow(installation.flow_port, "/runs")).status_code == 201
        assert installation.create("failed", bad_flow()).status_code == 400
        assert installation.create("gone", bad_flow()).status_code == 400
        assert installation.delete("gone").status_code == 204
        yield installation


def explore(server: Installation, folder: Path, seconds: int, *more: str) -> set[str]:
    """The jobs that ran meanwhile."""
    command = [
        str(SCHEMATHESIS),
        "--config-file",
        str(CONF),
        "run",
        f"http://127.0.0.1:{server.port}/openapi.json",
    ]
    options = ["--max-time", str(seconds), "--request-timeout", "30", "--no-color"]
    environ = os.environ | {
        "SCHEMATHESIS_HOOKS": hooks.__name__,
        "PYTHONPATH": str(ROOT),
        "DESCRIBED_FLOW_PORT": str(server.flow_port),
        "no_proxy": "*",
    }
    done = subprocess.run(
        [*command, *options, *more], cwd=folder, env=environ, capture_output=True, text=True, timeout=seconds + 120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    counts = server.http.get("/v1/modelbox/events", params={"type": "engine-ready", "limit": 1000}).json()
    return {entry["job"] for entry in counts["events"]}


def test_whatever_is_asked_only_what_is_described_is_answered(server: Installation, tmp_path: Path) -> None:
    explore(server, tmp_path, SHORT_SECONDS, "--seed", "1104")


@pytest.mark.slow
def test_the_same_for_ten_minutes(server: Installation, tmp_path: Path) -> None:
    ran = explore(server, tmp_path, LONG_SECONDS)
    assert ran > {"runs"}, "no job that schemathesis made ran"
