"""The disk under the database is full, then has room again: a real small file system, so this needs root."""

import contextlib
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from tests.e2e.test_database_faults import assert_unavailable
from tests.e2e.test_first_flow import ask
from tests.installation import Installation, echo_flow, free_port
from tests.postgres import Postgres, running_postgres

DISK_BYTES = 160 << 20


class Place(NamedTuple):
    """An installation whose database is on `disk`; on SQLite so are its state and its logs."""

    installation: Installation
    disk: Path
    postgres: Postgres | None


@pytest.fixture
def disk() -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix="modelbox-disk-"))
    place.chmod(0o755)  # Postgres runs as somebody else
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=755", "tmpfs", str(place)]
    try:
        mounted = subprocess.run(command, capture_output=True, text=True)
        if mounted.returncode != 0:
            pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
        yield place
        # lazily: whoever was killed may not have let go of its files yet
        subprocess.run(["umount", "--lazy", str(place)], check=True)
    finally:
        place.rmdir()


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, disk: Path, tmp_path: Path) -> Iterator[Place]:
    if request.param == "sqlite":
        with Installation(disk / "state") as installation:
            yield Place(installation, disk, None)
        return
    with (
        running_postgres(disk=disk) as postgres,
        Installation(tmp_path / "state", postgres.new_database()) as installation,
    ):
        yield Place(installation, disk, postgres)


@contextlib.contextmanager
def filled(disk: Path) -> Iterator[None]:
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(1 << 16))
    yield
    filler.unlink()


def create_until_refused(installation: Installation) -> tuple[list[str], httpx.Response]:
    """Jobs that were created, until the room that files had kept for themselves is used up, and the refusal."""
    created: list[str] = []
    for number in range(100):
        graph = echo_flow(free_port()) | {"note": os.urandom(200_000).hex()}
        body = {"job_id": f"large-{number}", "job_graph": graph, "options": {"restart": {"policy": "never"}}}
        answer = installation.http.put(installation.base, json=body, headers={"Prefer": "respond-async"})
        if answer.status_code != 202:
            return created, answer
        created.append(f"large-{number}")
    raise AssertionError("the disk is never full")


def create_when_healed(installation: Installation, job_id: str) -> None:
    deadline = time.monotonic() + 30
    while (answer := installation.create(job_id, echo_flow(free_port()))).status_code != 201:
        assert answer.status_code == 503, answer.text
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.2)


def test_a_full_disk_loses_nothing_and_heals(place: Place) -> None:
    installation, disk, postgres = place
    installation.start()
    port = free_port()
    assert installation.create("before", echo_flow(port)).status_code == 201
    engine = installation.engines()["before"]
    with filled(disk):
        created, refused = create_until_refused(installation)
        assert_unavailable(refused)
        assert ask(port).content == b"hello"
    if postgres is not None and postgres.has_ended:  # as it does when it cannot write its own log
        postgres.up()
    create_when_healed(installation, "after")
    assert installation.list_all().keys() == {"before", "after", *created}
    assert installation.engines()["before"] == engine
    verified = installation.run("db", "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
