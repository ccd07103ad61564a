"""A database that comes back without what it had acknowledged: nothing is guessed, and engines go on."""

import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.e2e.test_first_flow import ask
from tests.installation import Installation, echo_flow, free_port
from tests.postgres import Postgres, running_postgres


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """A server of the test's own: it is stopped, and its data replaced."""
    with running_postgres(durable=False) as server:
        yield server


def test_a_postgres_that_lacks_the_last_transactions(own_postgres: Postgres, tmp_path: Path) -> None:
    """As a standby that takes over too early; `serve` runs all the time."""
    with Installation(tmp_path / "state", own_postgres.new_database()) as installation:
        installation.start()
        ports = {"before": free_port(), "lost": free_port(), "after": free_port()}
        assert installation.create("before", echo_flow(ports["before"])).status_code == 201
        own_postgres.down()
        saved = own_postgres.save_data()
        own_postgres.up()
        wait_until_created(installation, "lost", ports["lost"])
        engines = installation.engines()
        own_postgres.down()
        own_postgres.bring_back(saved)
        own_postgres.up()

        told = wait_for_loss(installation)
        assert told.headers["retry-after"] == "1"
        for answer in (installation.delete("before"), installation.status("before"), installation.status("lost")):
            assert answer.status_code == 503, answer.text
        time.sleep(2)  # a runner has tried to lead by then, and done nothing
        assert installation.engines() == engines
        assert ask(ports["lost"]).content == ask(ports["before"]).content == b"hello"
        assert "has lost events" in installation.output()
        kill_api(installation)
        assert "accept-loss" in wait_for_loss(installation).text

        assert "has lost events" in installation.run("db", "verify").stdout
        accepted = installation.run("db", "accept-loss")
        assert (accepted.returncode, accepted.stderr) == (0, "")
        assert "has lost events" in accepted.stdout
        wait_until_created(installation, "after", ports["after"])
        assert installation.word("lost") == "NOTEXIST"
        installation.wait_for("before", "RUNNING")
        assert set(installation.engines()) == {"before", "after"}
        assert installation.engines()["before"] == engines["before"]
        assert installation.run("db", "accept-loss").returncode == 2
        assert installation.run("db", "verify").returncode == 0


def test_a_file_that_was_replaced_by_an_older_copy(sqlite_installation: Installation, tmp_path: Path) -> None:
    installation = sqlite_installation.start()
    port, lost = free_port(), free_port()
    assert installation.create("before", echo_flow(port)).status_code == 201
    assert installation.run("db", "backup", str(tmp_path / "old.db")).returncode == 0
    assert installation.create("lost", echo_flow(lost)).status_code == 201
    engines = installation.engines()
    assert installation.stop() == 0
    for name in ("modelbox.db-wal", "modelbox.db-shm"):
        (installation.state_dir / name).unlink(missing_ok=True)
    shutil.copy(tmp_path / "old.db", installation.state_dir / "modelbox.db")

    refused = installation.run("serve", "--port", str(installation.port))
    assert refused.returncode == 2
    assert "has lost events" in refused.stderr
    assert "modelbox-server db accept-loss" in refused.stderr
    assert installation.engines() == engines
    assert ask(lost).content == b"hello"

    assert installation.run("db", "accept-loss").returncode == 0
    installation.start()
    installation.wait_for("before", "RUNNING")
    assert installation.word("lost") == "NOTEXIST"
    assert installation.engines() == {"before": engines["before"]}
    assert ask(port).content == b"hello"


def kill_api(installation: Installation) -> None:
    """It is started again by `serve`, in front of a database that it must not read."""
    for pid, title in installation.processes().items():
        if title.split()[1] == "api":
            os.kill(pid, signal.SIGKILL)


def wait_until_created(installation: Installation, job_id: str, port: int) -> None:
    """The database was away, and is back."""
    deadline = time.monotonic() + 30
    while (answer := installation.create(job_id, echo_flow(port))).status_code != 201:
        assert answer.status_code == 503, answer.text
        assert time.monotonic() < deadline, f"{answer.text}\n{installation.output()}"
        time.sleep(0.2)


def wait_for_loss(installation: Installation) -> httpx.Response:
    """The answer to a command, once it tells of the loss."""
    deadline = time.monotonic() + 30
    while True:
        with suppress(httpx.TransportError):  # of an API that was killed
            answer = installation.create("x1", echo_flow(free_port()))
            assert answer.status_code == 503, answer.text
            if "accept-loss" in answer.text:
                return answer
        assert time.monotonic() < deadline, installation.output()
        time.sleep(0.2)
