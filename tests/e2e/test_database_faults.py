"""The database is away: commands get a 503 with a reason, engines go on, and all heals without a restart."""

import os
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.e2e.test_first_flow import ask
from tests.installation import Installation, echo_flow, free_port
from tests.postgres import Postgres

Fault = Callable[[], "contextmanager[None]"]


@contextmanager
def locked(installation: Installation) -> Iterator[None]:
    """Another program holds SQLite's write lock."""
    with sqlite3.connect(installation.state_dir / "modelbox.db", isolation_level=None) as database:
        database.execute("BEGIN IMMEDIATE")
        yield
        database.execute("ROLLBACK")
    database.close()


@contextmanager
def closed(installation: Installation, postgres: Postgres) -> Iterator[None]:
    """Postgres cuts every connection to the database and takes none."""
    assert installation.database_url is not None
    name = installation.database_url.partition("@/")[2].partition("?")[0]
    with postgres.connect() as admin:
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
        yield
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


def assert_unavailable(answer: httpx.Response) -> None:
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["retry-after"]) > 0
    assert answer.json()["error_code"] == "MODELBOX_001"
    assert "database" in answer.json()["error_msg"]


@pytest.fixture
def fault(installation: Installation, request: pytest.FixtureRequest) -> Fault:
    if installation.database_url is None:
        return lambda: locked(installation)
    postgres = request.getfixturevalue("postgres")
    return lambda: closed(installation, postgres)


def test_commands_get_503_and_nothing_is_half_done(installation: Installation, fault: Fault) -> None:
    installation.start()
    port = free_port()
    assert installation.create("before", echo_flow(port)).status_code == 201
    engines = installation.engines()
    with fault():
        assert_unavailable(installation.create("during", echo_flow(free_port())))
        assert_unavailable(installation.delete("before"))
        assert ask(port).content == b"hello"
    installation.wait_for("before", "RUNNING")
    assert installation.word("during") == "NOTEXIST"
    created = installation.create("after", echo_flow(free_port()))
    assert created.status_code == 201, created.text
    assert installation.engines()["before"] == engines["before"]
    assert installation.delete("before").status_code == 204
    assert installation.run("db", "verify").returncode == 0


def test_what_happened_meanwhile_is_recorded_afterwards(installation: Installation, fault: Fault) -> None:
    """An engine that dies while the log cannot be written is not forgotten."""
    installation.start()
    port = free_port()
    assert installation.create("dies", echo_flow(port)).status_code == 201
    (pid,) = installation.engines()["dies"]
    with fault():
        os.kill(pid, signal.SIGKILL)
        assert_unavailable(installation.create("during", echo_flow(free_port())))
    assert ask(port).content == b"hello"
    installation.wait_for("dies", "RUNNING")
    assert installation.engines()["dies"] != [pid]
