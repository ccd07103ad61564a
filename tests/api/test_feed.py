"""The feed over a real database: what it keeps, what it reads, and what becomes of those who wait."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.api import feed as feed_module
from server.api.feed import Feed, Part
from server.jobs.ids import JobId, Position
from server.store import Store, upgrade
from server.store.history import History, Wanted
from tests.store.jobs import CLIENT, create, delete, query, rechain

ALL = Wanted()


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'feed.db'}"
    upgrade(url)
    return url


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    opened = await Store.open(url)
    yield opened
    await opened.close()


@pytest.fixture
async def feed(url: str) -> AsyncIterator[Feed]:
    history = History(url)
    feed = Feed(history)
    await feed.load()
    running = asyncio.create_task(feed.run())
    yield feed
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await history.close()


async def append(store: Store, feed: Feed, count: int) -> None:
    """So many events, of as many jobs."""
    head = await store.read_head()
    await store.submit_all([create(JobId(f"job-{head + n}")) for n in range(1, count + 1)], CLIENT)
    feed.wake()
    await until_fed(feed, head + count)


async def until_fed(feed: Feed, position: int) -> None:
    async with asyncio.timeout(10):
        while feed.position < position:  # noqa: ASYNC110
            await asyncio.sleep(0.002)


def positions(part: Part) -> list[int]:
    return [fed.position for fed in part.events]


async def test_the_newest_are_in_memory_and_the_rest_is_read(
    store: Store, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "KEPT", 5)
    for _ in range(8):
        await append(store, feed, 3)
    assert len(feed._kept) <= 10
    assert sum(len(fed.frame) for fed in feed._kept) == feed._bytes
    for position in range(25):
        assert positions(await feed.after(Position(position), 1000, ALL)) == list(range(position + 1, 25))
        part = await feed.after(Position(position), 2, ALL)
        assert part.looked_at == min(position + 2, 24)
        assert part.head == 24


async def test_memory_is_bounded_in_bytes_too(store: Store, feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "KEPT_BYTES", 2000)
    for _ in range(10):
        await append(store, feed, 2)
    assert feed._bytes <= 4000
    assert positions(await feed.after(Position(0), 1000, ALL)) == list(range(1, 21))


async def test_filters_from_memory_and_from_the_database_agree(store: Store, feed: Feed) -> None:
    await append(store, feed, 4)
    await store.submit(delete(JobId("job-2")), CLIENT)
    feed.wake()
    await until_fed(feed, 5)
    for wanted in (
        Wanted(job_id=JobId("job-2")),
        Wanted(types=frozenset({"delete-requested"})),
        Wanted(job_id=JobId("job-2"), types=frozenset({"job-created"})),
        Wanted(job_id=JobId("nobody")),
    ):
        for limit in (1, 100):
            assert await feed.after(Position(0), limit, wanted) == await feed.read(Position(0), limit, wanted)


async def test_one_read_feeds_all_who_wait(store: Store, feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[Position] = []
    read_page = History.after

    async def counting(self: History, position: Position, limit: int, wanted: Wanted) -> object:
        reads.append(position)
        return await read_page(self, position, limit, wanted)

    monkeypatch.setattr(History, "after", counting)
    waits = [asyncio.create_task(feed.first(Position(0), 10, ALL, 10)) for _ in range(500)]
    await asyncio.sleep(0)
    before = len(reads)
    await append(store, feed, 1)
    parts = await asyncio.gather(*waits)
    assert all(positions(part) == [1] for part in parts)
    assert len(reads) - before <= 3


async def test_those_who_wait_are_let_go_when_it_closes(feed: Feed) -> None:
    waiting = asyncio.create_task(feed.first(Position(0), 10, ALL, 60))
    await asyncio.sleep(0.01)
    feed.close()
    assert (await asyncio.wait_for(waiting, 5)).events == []


async def test_a_restored_log_that_is_longer_by_now_is_another_one(store: Store, feed: Feed, url: str) -> None:
    await append(store, feed, 6)
    query(url, "DROP TRIGGER event_is_not_changed")
    query(url, "UPDATE event SET actor = 'another' WHERE position > 4")
    rechain(url)
    query(url, "UPDATE log_head SET fence = 1")
    other = await Store.open(url)
    try:
        await other.submit(create(JobId("later")), CLIENT)
    finally:
        await other.close()
    feed.wake()
    await until_fed(feed, 7)
    actors = [fed.entry.actor for fed in (await feed.after(Position(3), 10, ALL)).events]
    assert actors == [CLIENT.actor, "another", "another", CLIENT.actor]


async def test_a_log_that_became_shorter_is_another_one(store: Store, feed: Feed, url: str) -> None:
    await append(store, feed, 6)
    waiting = asyncio.create_task(feed.first(Position(6), 10, ALL, 60))
    await asyncio.sleep(0.01)
    query(url, "DROP TRIGGER event_is_not_deleted")
    query(url, "DELETE FROM event WHERE position > 4")
    query(url, "UPDATE log_head SET position = 4, fence = 1")  # as `db accept-loss` leaves it
    feed.wake()
    part = await asyncio.wait_for(waiting, 10)
    assert (part.events, part.head) == ([], 4)
    assert positions(await feed.after(Position(2), 10, ALL)) == [3, 4]
