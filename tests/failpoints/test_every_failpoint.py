"""Each failpoint, each action, each process that can get there, one at a time, and all promises hold."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.failpoints import VARIABLE, Action, Failpoint, arm, has_fired
from tests.chaos.load import Notes
from tests.chaos.rounds import Report, recover
from tests.failpoints.drive import KEPT, Drive
from tests.failpoints.source import can_fail, places
from tests.installation import Installation, echo_flow, free_port
from tests.postgres import Postgres

MIGRATIONS = [point for point in Failpoint if point.startswith("migrate.")]
OF_ARCHIVES = [point for point in Failpoint if point.startswith("archive.")]
"""No process of a server gets there: tests/store/test_archive_crashes.py does."""
ON_POSTGRES = (Failpoint.STORE_ASK, Failpoint.LEADER_WATCH)
"""SQLite needs neither: its head is read on the spot, and its lock cannot get lost."""
ON_SQLITE = (Failpoint.STORE_HEAD,)


def processes_at(point: Failpoint) -> tuple[str, ...]:
    """Which processes get there; "" where it is one only."""
    if point is Failpoint.STORE_ASK or not point.startswith("store."):
        return ("",)
    return "api", "runner"


def actions_at(point: Failpoint) -> tuple[Action, ...]:
    return tuple(action for action in Action if action is not Action.FAIL or can_fail(point))


def test_every_failpoint_stands_somewhere_in_the_program() -> None:
    assert set(places()) == {point.name for point in Failpoint}


def test_an_operation_fails_at_all_places_of_its_failpoint_or_at_none() -> None:
    mixed = [name for name, can in places().items() if len(set(can)) > 1]
    assert mixed == []


@pytest.fixture
def armoury(tmp_path: Path) -> Path:
    folder = tmp_path / "failpoints"
    folder.mkdir()
    return folder


@pytest.fixture
def server(tmp_path: Path, armoury: Path) -> Iterator[Installation]:
    with equipped(Installation(tmp_path / "state"), tmp_path, armoury) as server:
        yield server


@pytest.fixture
def server_on_postgres(tmp_path: Path, armoury: Path, postgres: Postgres) -> Iterator[Installation]:
    installation = Installation(tmp_path / "state", postgres.new_database())
    with equipped(installation, tmp_path, armoury) as server:
        yield server


def equipped(installation: Installation, tmp_path: Path, armoury: Path) -> Installation:
    flows = tmp_path / "flows"
    flows.mkdir()
    (flows / "file").write_text(json.dumps(echo_flow(free_port())))
    installation.options += ["--flow-path", str(flows)]
    installation.environ[VARIABLE] = str(armoury)
    installation.environ["MODELBOX_LOG_FILE_BYTES"] = "64"  # an engine's first words fill a file
    return installation


def wanted(point: Failpoint, *, on: str) -> bool:
    return point not in (*MIGRATIONS, *OF_ARCHIVES) and point not in (ON_POSTGRES if on == "sqlite" else ON_SQLITE)


@pytest.mark.parametrize("point", [point for point in Failpoint if wanted(point, on="sqlite")])
def test_on_sqlite(point: Failpoint, server: Installation, armoury: Path) -> None:
    run_all(point, server, armoury)


@pytest.mark.parametrize("point", ON_POSTGRES)
def test_on_postgres(point: Failpoint, server_on_postgres: Installation, armoury: Path) -> None:
    run_all(point, server_on_postgres, armoury)


@pytest.mark.slow
@pytest.mark.parametrize("point", [p for p in Failpoint if wanted(p, on="postgres") and p not in ON_POSTGRES])
def test_the_others_on_postgres(point: Failpoint, server_on_postgres: Installation, armoury: Path) -> None:
    run_all(point, server_on_postgres, armoury)


def run_all(point: Failpoint, server: Installation, armoury: Path) -> None:
    server.start()
    drive = Drive(server, Notes())
    drive.create(KEPT)
    report = Report()
    for action in actions_at(point):
        for process in processes_at(point):
            arm(armoury, point, action, process)
            fired = run_until_fired(point, drive, armoury)
            assert fired, f"{point} {action} {process}: nobody got there"
            recover(server, [drive.notes], report, f"{point} {action} {process}")
    assert_kept(server, report)


def run_until_fired(point: Failpoint, drive: Drive, armoury: Path) -> bool:
    fired = drive.until(lambda: has_fired(armoury, point))
    if fired:
        (armoury / f"{point}.fired").unlink()
    return fired


def assert_kept(server: Installation, report: Report) -> None:
    assert report.is_clean, "\n".join([report.as_json(), *report.told, server.output()[-3000:]])
    assert server.run("db", "verify").returncode == 0


PASSED_OFTEN = [
    Failpoint.STORE_BEFORE_COMMIT,
    Failpoint.STORE_AFTER_COMMIT,
    Failpoint.RUNNER_BEFORE_RECORD,
    Failpoint.RUNNER_RECORDED,
    Failpoint.RUNNER_TOOK_NEWS,
]
"""Where it matters which event is being written, or which news was heard."""


@pytest.mark.slow
@pytest.mark.parametrize("point", PASSED_OFTEN)
def test_every_arrival_on_sqlite(point: Failpoint, server: Installation, armoury: Path) -> None:
    """At its first, its second, its third arrival and so on, until the whole drive has none more."""
    server.start()
    drive = Drive(server, Notes())
    drive.create(KEPT)
    report = Report()
    for action in actions_at(point):
        skip = 0
        while True:
            arm(armoury, point, action, "runner", skip=skip)
            if not run_until_fired(point, drive, armoury):
                (armoury / point).unlink()
                break
            recover(server, [drive.notes], report, f"{point} {action} after {skip}")
            skip += 1
        assert skip > 5, f"{point} {action}: few arrivals"
    assert_kept(server, report)


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("point", MIGRATIONS)
def test_migration(point: Failpoint, action: Action, server: Installation, armoury: Path) -> None:
    arm(armoury, point, action)

    first = server.run("db", "upgrade")

    assert has_fired(armoury, point)
    assert (first.returncode == 0) == (action is Action.DELAY), first.stderr
    server.start()
    assert server.create(KEPT, echo_flow(free_port())).status_code == 201
    assert server.run("db", "verify").returncode == 0
