"""Engines that the log does not know: adopted where they belong, ended where not."""

import asyncio
import json
import os
import signal

from server.engines.local import LocalDriver
from server.engines.protocol import EngineSpec
from server.store import Store
from tests.e2e.test_first_flow import ask
from tests.history import read_history
from tests.installation import Installation, echo_flow, free_port


async def start_engines(installation: Installation, *specs: EngineSpec) -> list[int]:
    """As a leader does that dies before it has recorded them."""
    store = await Store.open(installation.database_url or f"sqlite:///{installation.state_dir / 'modelbox.db'}")
    driver = LocalDriver(installation.state_dir, log=await store.log_name())
    handles = [await driver.start(spec) for spec in specs]
    await driver.close()
    await store.close()
    return [handle.identity.pid for handle in handles]


def spec_of(job_id: str, port: int, *, incarnation: int = 1, attempt: int = 1) -> EngineSpec:
    source = json.dumps(echo_flow(port))
    return EngineSpec(
        job_id=job_id,
        incarnation=incarnation,
        attempt=attempt,
        epoch=1,
        graph_format="json",
        source=source,
    )


def test_engines_that_nobody_recorded(installation: Installation) -> None:
    installation.start()
    port = free_port()
    for job, its_port in (("next", port), ("again", free_port())):
        assert installation.create(job, echo_flow(its_port)).status_code == 201
    assert installation.delete("again").status_code == 204
    assert installation.create("again", echo_flow(free_port())).status_code == 201
    (killed,), (current,) = installation.engines()["next"], installation.engines()["again"]
    installation.kill_server()
    for pid in (killed, current):
        os.kill(pid, signal.SIGKILL)
    adopted, outdated, unknown = asyncio.run(
        start_engines(
            installation,
            spec_of("next", port, attempt=2),
            spec_of("again", free_port(), incarnation=1),
            spec_of("unknown", free_port()),
        )
    )
    installation.start()
    for job in ("next", "again"):
        installation.wait_for(job, "RUNNING")
    engines = installation.engines()
    assert engines["next"] == [adopted]
    assert ask(port).content == b"hello"
    assert set(engines) == {"next", "again"}
    assert not {outdated, unknown} & {pid for pids in engines.values() for pid in pids}
    rows = read_history(installation.database_url or installation.state_dir / "modelbox.db")
    assert [row.data["attempt"] for row in rows if (row.job_id, row.type) == ("next", "engine-adopted")] == [2]


def test_engines_of_a_database_that_was_replaced(sqlite_installation: Installation) -> None:
    """Their epochs are higher than any that the new one has given, and some have the names of its jobs."""
    installation = sqlite_installation.start()
    port = free_port()
    for _ in range(2):
        installation.kill_server()
        installation.start()
    for job in ("aa", "bb"):
        assert installation.create(job, echo_flow(free_port())).status_code == 201
    before = {pid for pids in installation.engines().values() for pid in pids}
    installation.kill_server()
    # the last is what would have the server ask for the old one
    for name in ("modelbox.db", "modelbox.db-wal", "modelbox.db-shm", "seen.json"):
        (installation.state_dir / name).unlink(missing_ok=True)
    installation.start()
    assert installation.list_all() == {}
    assert installation.create("aa", echo_flow(port)).status_code == 201
    assert ask(port).content == b"hello"
    engines = installation.engines()
    assert set(engines) == {"aa"}
    assert not before & set(engines["aa"])
