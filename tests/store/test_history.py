"""Pages of the log: nothing left out and nothing twice, forwards and backwards, and sentences as in the views."""

from collections.abc import AsyncIterator

import pytest

from server.jobs import events as e
from server.jobs.ids import JobId, Position
from server.jobs.sentences import sentence_of
from server.store import Store
from server.store import history as history_module
from server.store.history import History, Wanted
from tests.store import story
from tests.store.jobs import A, B, created_and_deleted, query

NOTHING_BEFORE = Position(0)


@pytest.fixture
async def history(store: Store, url: str) -> AsyncIterator[History]:
    opened = History(url)
    yield opened
    await opened.close()


async def all_after(history: History, wanted: Wanted, limit: int) -> list[int]:
    found: list[int] = []
    position = NOTHING_BEFORE
    while True:
        page = await history.after(position, limit, wanted)
        found += [one.position for one in page.events]
        if page.looked_at == page.head:
            return found
        assert page.looked_at > position
        position = page.looked_at


@pytest.mark.parametrize("limit", [1, 2, 3, 1000])
async def test_pages_have_every_event_once(
    store: Store, history: History, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_module, "MOST_LOOKED_AT", 4)
    for incarnation in (1, 2, 3):
        await created_and_deleted(store, A, incarnation)
        await created_and_deleted(store, B, incarnation)
    log = await store.events()
    assert await all_after(history, Wanted(), limit) == [one.position for one in log]
    for wanted in (
        Wanted(job_id=A),
        Wanted(types=frozenset({"job-deleted"})),
        Wanted(types=frozenset({"job-deleted", "job-created"})),
        Wanted(job_id=B, types=frozenset({"engine-ready"})),
        Wanted(job_id=JobId("nobody")),
    ):
        matching = [one.position for one in log if wanted.matches(one.job_id, one.type)]
        assert await all_after(history, wanted, limit) == matching


@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize("limit", [1, 4, 1000])
async def test_a_jobs_history_over_all_its_lives(
    store: Store, history: History, limit: int, newest_first: bool
) -> None:
    for incarnation in (1, 2, 3):
        await created_and_deleted(store, A, incarnation)
        await created_and_deleted(store, B, incarnation)
    expected = [one.position for one in await store.events(job_id=A)]
    found: list[int] = []
    cursor: Position | None = None
    while page := await history.of_job(A, cursor, limit, newest_first=newest_first):
        found += [one.position for one in page]
        cursor = page[-1].position
    assert found == (expected[::-1] if newest_first else expected)


async def test_a_cursor_may_be_any_position(store: Store, history: History) -> None:
    await created_and_deleted(store, A)
    (of_b, *_) = await created_and_deleted(store, B)
    await created_and_deleted(store, A, 2)
    cursor = of_b.events[0].position
    before = await history.of_job(A, cursor, 100, newest_first=True)
    after = await history.of_job(A, cursor, 100, newest_first=False)
    assert before
    assert after
    assert [one.incarnation for one in before + after] == [1] * len(before) + [2] * len(after)
    assert len(before + after) == len(await store.events(job_id=A))


async def test_only_an_id_that_never_was_is_unknown(store: Store, history: History) -> None:
    await created_and_deleted(store, A)
    assert await history.of_job(A, Position(10**15), 10, newest_first=False) == []
    for nobody in (B, JobId("nul\0"), JobId("half\ud800"), JobId("")):
        assert await history.of_job(nobody, None, 10, newest_first=True) is None
        assert not await history.is_known(nobody)
        assert (await history.after(NOTHING_BEFORE, 10, Wanted(job_id=nobody))).events == ()


async def test_the_newest_of_the_log(store: Store, history: History) -> None:
    assert (await history.newest(3)).events == ()
    await created_and_deleted(store, A)
    log = await store.events()
    page = await history.newest(3)
    assert list(page.events) == log[-3:]
    assert page.looked_at == page.head == log[-1].position


async def test_sentences_are_those_of_the_view(store: Store, url: str) -> None:
    await story.tell(store, url)
    shown = {row["position"]: row for row in query(url, "SELECT position, what, why FROM job_history")}
    for recorded in await store.events():
        if recorded.job_id:
            row = shown[recorded.position]
            assert sentence_of(recorded) == f"{row['what']}: {row['why']}".removesuffix(": ")
        else:
            assert isinstance(recorded.event, e.LeaderElected)
            assert sentence_of(recorded).endswith(f"on {recorded.event.host} leads, epoch {recorded.epoch}")
