"""A database that is behind what it acknowledged: noticed, told, and nothing done before somebody decides."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from server.jobs import events as e
from server.jobs.ids import JobId
from server.jobs.sentences import sentence_of
from server.store import HistoryLost, StaleEpoch, Store, accept_loss, seen, upgrade
from server.store.follower import Follower
from server.store.store import check
from tests.store.jobs import CLIENT, RUNNER, A, B, create, query, ready, started, unlock

C = JobId("job-c")

GoBack = Callable[[], None]


@pytest.fixture
async def led(store: Store) -> Store:
    await store.elect(RUNNER, "machine-a", 1)
    await store.submit(create(), CLIENT)
    return store


@pytest.fixture
def go_back(url: str, kind: str, led: Store) -> GoBack:
    """Has the database lose what comes after this, as a standby does that takes over too early: in place, for the
    processes that have it open."""
    (head,) = query(url, "SELECT * FROM log_head")

    def lose() -> None:
        unlock(url)
        query(url, f"DELETE FROM event WHERE position > {head['position']}")
        query(url, f"DELETE FROM job WHERE position > {head['position']}")
        query(url, f"UPDATE log_head SET {', '.join(f'{name} = {value!r}' for name, value in head.items())}")

    return lose


@pytest.fixture
async def other(led: Store, url: str) -> AsyncIterator[Store]:
    """Another process's store."""
    other = await Store.open(url)
    yield other
    await other.close()


async def test_a_log_that_became_shorter(led: Store, other: Store, url: str, go_back: GoBack) -> None:
    follower = Follower(other)
    await follower.load()
    await led.submit(create(B), CLIENT)
    await follower.catch_up()
    go_back()

    message = (
        r"has lost events: its log ends at position 2, and events up to position 3 were on disk; .*accept-loss"
    )
    for ask in (
        led.submit(create(C), CLIENT),
        led.elect(RUNNER, "machine-a", 2),
        led.snapshot(),
        follower.catch_up(),
        other.submit(create(C), CLIENT),
    ):
        with pytest.raises(HistoryLost, match=message):
            await ask
    assert set(follower.jobs) == {A, B}
    assert len(query(url, "SELECT position FROM event")) == 2


async def test_another_log_of_the_same_length(led: Store, other: Store, url: str, go_back: GoBack) -> None:
    await led.submit(create(B), CLIENT)
    go_back()
    unaware = await Store.open(url)
    await unaware.submit(create(C), CLIENT)
    await unaware.submit_all([started(1, C), ready(1, C)], RUNNER)
    await unaware.close()

    with pytest.raises(HistoryLost, match="at position 3 its log has another event than the one that was on disk"):
        await led.submit(create(B), CLIENT)
    with pytest.raises(HistoryLost):
        await led.snapshot()
    await other.snapshot()  # it knows of nothing that is lost


async def test_all_go_on_after_the_loss_was_accepted(led: Store, other: Store, url: str, go_back: GoBack) -> None:
    follower = Follower(other)
    await follower.load()
    await led.submit(create(B), CLIENT)
    await follower.catch_up()
    known = led.seen
    go_back()

    epoch = await accept_loss(url, "machine-a", known)

    assert epoch > known.epoch
    await follower.catch_up()
    assert set(follower.jobs) == {A}
    assert follower.fence == follower.epoch == epoch
    with pytest.raises(StaleEpoch):
        await led.submit_all([started()], RUNNER, known.epoch)
    assert (await led.submit(create(B), CLIENT)).head == 4
    assert await led.verify() == []
    (accepted,) = await led.events(after=(await led.events(limit=2))[-1].position, limit=1)
    assert sentence_of(accepted) == "the loss of events up to position 3 was accepted on machine-a"
    assert accepted.event == e.LossAccepted(host="machine-a", known_position=3, known_checksum=known.checksum)


async def test_it_is_noticed_by_a_process_that_starts(
    led: Store, url: str, tmp_path: Path, go_back: GoBack
) -> None:
    await led.submit(create(B), CLIENT)
    seen.save(tmp_path, led.seen)
    check(url, seen.load(tmp_path))
    go_back()

    with pytest.raises(HistoryLost):
        check(url, seen.load(tmp_path))
    store = await Store.open(url, seen=seen.load(tmp_path))
    with pytest.raises(HistoryLost):
        await store.elect(RUNNER, "machine-a", 2)
    await store.close()


async def test_what_is_known_of_one_database_says_nothing_of_another(led: Store, tmp_path: Path) -> None:
    await led.submit(create(B), CLIENT)
    seen.save(tmp_path, led.seen)
    url = f"sqlite:///{tmp_path / 'new.db'}"
    upgrade(url)

    check(url, seen.load(tmp_path))


def test_a_file_of_nonsense_is_as_none(tmp_path: Path) -> None:
    assert seen.load(tmp_path) is None
    (tmp_path / seen.FILE).write_text("{")
    assert seen.load(tmp_path) is None
