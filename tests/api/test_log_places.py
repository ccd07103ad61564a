"""Which log is meant, and whether it is here, by the log of events of a real database."""

import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.api.log_places import LogPlaces, Wish
from server.api.parameters import InvalidParameter
from server.engines.identity import boot_id
from server.engines.logs.files import Attempt, LogFile
from server.engines.rundir import RunDir
from server.jobs import events as e
from server.jobs.errors import NoSuchJob, WrongMachine
from server.jobs.ids import JobId
from server.store import Store, upgrade
from server.store.follower import Follower
from server.store.history import History
from tests.store.jobs import CLIENT, RUNNER, A, B, create, delete, seen


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'places.db'}"
    upgrade(url)
    return url


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    opened = await Store.open(url)
    yield opened
    await opened.close()


@pytest.fixture
async def history(url: str) -> AsyncIterator[History]:
    opened = History(url)
    yield opened
    await opened.close()


async def places_of(tmp_path: Path, store: Store, history: History) -> LogPlaces:
    follower = Follower(store)
    await follower.load()
    return LogPlaces(tmp_path, follower, history)


def engine(*, host: str = "", boot: str = "", run_dir: str) -> e.EngineIdentity:
    return e.EngineIdentity(1, 1, boot or boot_id(), host or socket.gethostname(), run_dir)


async def started(store: Store, attempt: int, identity: e.EngineIdentity, incarnation: int = 1) -> None:
    """The attempt before it, if there was one, is lost."""
    if attempt > 1:
        await store.submit(seen(e.EngineLost(attempt=attempt - 1, reason="test"), A, incarnation), RUNNER)
    event = e.EngineStarted(attempt=attempt, engine=identity)
    await store.submit(seen(event, A, incarnation), RUNNER)


def write(tmp_path: Path, attempt: Attempt) -> None:
    file = LogFile(attempt, 1, RunDir(tmp_path).job_logs(A))
    file.folder.mkdir(parents=True, exist_ok=True)
    file.path.write_text("x")


async def test_a_job_that_never_was(tmp_path: Path, store: Store, history: History) -> None:
    await store.submit(create(A), CLIENT)
    places = await places_of(tmp_path, store, history)
    with pytest.raises(NoSuchJob):
        await places.find(B, Wish())
    with pytest.raises(NoSuchJob):
        await places.find(JobId("\ud800"), Wish(attempt=1))


async def test_the_newest_attempt_is_meant_and_others_are_found(
    tmp_path: Path, store: Store, history: History
) -> None:
    await store.submit(create(A), CLIENT)
    places = await places_of(tmp_path, store, history)
    assert (await places.find(A, Wish())).attempt == Attempt(1, 1)
    for attempt in (1, 2):
        await started(store, attempt, engine(run_dir=str(tmp_path / "run")))
    write(tmp_path, Attempt(1, 1))
    places = await places_of(tmp_path, store, history)
    place = await places.find(A, Wish())
    assert (place.attempt, place.folder) == (Attempt(1, 2), RunDir(tmp_path).job_logs(A))
    assert (await places.find(A, Wish(attempt=1))).attempt == Attempt(1, 1)
    with pytest.raises(InvalidParameter):
        await places.find(A, Wish(attempt=3))
    with pytest.raises(InvalidParameter):
        await places.find(A, Wish(incarnation=2, attempt=1))


async def test_a_log_on_another_machine_is_told_also_when_the_job_is_gone(
    tmp_path: Path, store: Store, history: History
) -> None:
    there = engine(host="machine-b", boot="another boot", run_dir="/var/lib/server/run")
    await store.submit(create(A), CLIENT)
    await started(store, 1, there)
    words = r"attempt 1 ran on machine-b: .* /var/lib/server/logs"
    with pytest.raises(WrongMachine, match=words):
        await (await places_of(tmp_path, store, history)).find(A, Wish())
    await store.submit(delete(A), CLIENT)
    await store.submit_all(
        [seen(e.EngineStopped(attempt=1, reason="deleted"), A), seen(e.JobDeleted(), A)], RUNNER
    )
    with pytest.raises(WrongMachine, match=words):
        await (await places_of(tmp_path, store, history)).find(A, Wish())


async def test_an_attempt_that_ran_here_is_read_though_the_newest_runs_elsewhere(
    tmp_path: Path, store: Store, history: History
) -> None:
    await store.submit(create(A), CLIENT)
    await started(store, 1, engine(run_dir=str(tmp_path / "run")))
    await started(store, 2, engine(host="machine-b", boot="another boot", run_dir="/x/run"))
    write(tmp_path, Attempt(1, 1))
    places = await places_of(tmp_path, store, history)
    assert (await places.find(A, Wish(attempt=1))).attempt == Attempt(1, 1)
    with pytest.raises(WrongMachine):
        await places.find(A, Wish())


async def test_another_installation_on_this_machine_has_its_own_folder(
    tmp_path: Path, store: Store, history: History
) -> None:
    neighbour = tmp_path / "neighbour"
    await store.submit(create(A), CLIENT)
    await started(store, 1, engine(run_dir=str(neighbour / "run")))
    places = await places_of(tmp_path, store, history)
    assert (await places.find(A, Wish())).folder == RunDir(neighbour).job_logs(A)
