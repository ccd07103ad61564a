"""A restored backup: what it knows runs once, what it does not know runs no more."""

import asyncio
import json
from pathlib import Path
from typing import Any

from server.jobs.commands import Context, CreateJob, Graph
from server.jobs.ids import JobId
from server.store import Store
from tests.e2e.test_first_flow import ask
from tests.installation import Installation, echo_flow, free_port
from tests.postgres import Postgres


def test_jobs_after_a_restore_run_once_and_no_other_does(installation: Installation, tmp_path: Path) -> None:
    installation.start()
    ports = {name: free_port() for name in ("kept", "deleted", "again", "later")}
    for name in ("kept", "deleted", "again"):
        assert installation.create(name, echo_flow(ports[name])).status_code == 201
    file = str(tmp_path / "jobs.backup")
    taken = installation.run("db", "backup", file)
    assert (taken.returncode, taken.stderr) == (0, "")
    assert "3 jobs written" in taken.stdout
    assert installation.create("later", echo_flow(ports["later"])).status_code == 201
    assert installation.delete("deleted").status_code == 204
    assert installation.delete("again").status_code == 204
    other_port = free_port()
    assert installation.create("again", echo_flow(other_port, "/another")).status_code == 201
    kept = installation.engines()["kept"]

    refused = installation.run("db", "restore", "--replace", file)
    assert refused.returncode == 2
    assert "stop the server first" in refused.stderr
    assert installation.stop() == 0
    assert set(installation.engines()) == {"kept", "again", "later"}
    assert "with --replace" in installation.run("db", "restore", file).stderr
    restored = installation.run("db", "restore", "--replace", file)
    assert (restored.returncode, restored.stderr) == (0, "")
    installation.start()

    for name in ("kept", "deleted", "again"):
        installation.wait_for(name, "RUNNING")
        assert ask(ports[name]).content == b"hello"
    assert installation.word("later") == "NOTEXIST"
    engines = installation.engines()
    assert set(engines) == {"kept", "deleted", "again"}
    assert all(len(pids) == 1 for pids in engines.values())
    assert engines["kept"] == kept
    # a name and a version that the lost part of the log had given too
    assert installation.create("later", echo_flow(ports["later"])).status_code == 201
    assert installation.delete("again").status_code == 204
    assert installation.create("again", echo_flow(other_port)).status_code == 201
    assert ask(other_port).content == b"hello"
    assert installation.run("db", "verify").returncode == 0


def test_an_engine_that_the_backup_does_not_know_is_not_taken_for_a_new_job(
    installation: Installation, tmp_path: Path
) -> None:
    """Its job gets its old id and number again, with another graph, before the new runner has looked around."""
    installation.start()
    file = str(tmp_path / "empty.backup")
    assert installation.run("db", "backup", file).returncode == 0
    old, new = free_port(), free_port()
    assert installation.create("same", echo_flow(old)).status_code == 201
    (pid,) = installation.engines()["same"]
    assert installation.stop() == 0
    assert installation.run("db", "restore", "--replace", file).returncode == 0
    asyncio.run(_create_in_database(installation, "same", echo_flow(new)))
    installation.start()

    installation.wait_for("same", "RUNNING")
    assert ask(new).content == b"hello"
    assert installation.engines()["same"] != [pid]
    assert len(installation.engines()["same"]) == 1


async def _create_in_database(installation: Installation, job_id: str, graph: dict[str, Any]) -> None:
    """What an API does that starts before the runner."""
    store = await Store.open(installation.database_url or f"sqlite:///{installation.state_dir / 'modelbox.db'}")
    command = CreateJob(job_id=JobId(job_id), graph=Graph.of("json", json.dumps(graph)))
    created = await store.submit(command, Context(actor="test"))
    assert created.events[0].incarnation == 1
    await store.close()


def test_from_sqlite_to_postgres(sqlite_installation: Installation, postgres: Postgres, tmp_path: Path) -> None:
    """How an installation moves: its engines are those of the other installation's server."""
    one = sqlite_installation.start()
    port = free_port()
    assert one.create("moves", echo_flow(port)).status_code == 201
    pids = one.engines()["moves"]
    file = str(tmp_path / "jobs.backup")
    assert one.stop() == 0
    assert one.run("db", "backup", file).returncode == 0

    one.database_url = postgres.new_database()
    assert one.run("db", "restore", file).returncode == 0
    one.start()

    assert one.word("moves") == "RUNNING"
    assert one.engines()["moves"] == pids
    assert ask(port).content == b"hello"
