"""Events of deleted jobs, moved into a file: what goes, what stays, and that both together are the whole log."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from server.jobs import events as e
from server.jobs.commands import ChangeJob, Graph
from server.jobs.ids import JobId, Position
from server.store import Archived, Difference, Refused, Store, archive, backup, restore
from server.store.archiving import archive as steps
from server.store.follower import Follower
from server.store.history import History, Wanted
from server.store.store import check
from tests.history import assert_legal, read_history
from tests.store.jobs import (
    CLIENT,
    RUNNER,
    A,
    B,
    create,
    created_and_deleted,
    delete,
    query,
    ready,
    seen,
    started,
    unlock,
)

GONE, OTHER = JobId("gone"), JobId("other")
OWN_GRAPH = Graph.of("json", '{"graph": "only gone has it"}')
SOON = timedelta(seconds=60)
HEAD = "SELECT position, checksum FROM log_head"


@pytest.fixture
async def told(store: Store) -> Store:
    return await tell(store)


async def tell(store: Store) -> Store:
    """Two ids that lived and were deleted, one of them twice, between the events of jobs that live."""
    await store.elect(RUNNER, "machine-a", 1)
    await store.submit(create(), CLIENT)
    await store.submit(create(GONE, OWN_GRAPH), CLIENT)
    await store.submit_all([started(), ready()], RUNNER)
    await store.submit(started(1, GONE), RUNNER)
    await store.submit(create(OTHER), CLIENT)
    await store.submit(delete(GONE), CLIENT)
    ends = [e.EngineStopped(attempt=1, reason="deleted"), e.JobDeleted()]
    await store.submit_all([seen(event, GONE) for event in ends], RUNNER)
    await store.submit(delete(OTHER), CLIENT)
    await store.submit(seen(e.JobDeleted(), OTHER), RUNNER)
    await created_and_deleted(store, GONE, 2)
    await store.submit(create(B), CLIENT)
    return store


async def archived(url: str, path: Path, *, age: timedelta = -SOON) -> Archived:
    """Moves what ended so long ago; by default, all that ended."""
    now = datetime.now(UTC)
    done = await archive(url, path, now - age, now)
    assert done is not None
    return done


def lines_of(path: Path) -> list[dict[str, Any]]:
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in text.splitlines()]


def legal(url: str) -> None:
    check(url)
    assert_legal(read_history(Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite") else url))


@pytest.mark.parametrize("name", ["old.jsonl", "old.jsonl.gz"])
async def test_what_is_in_the_file_and_what_is_left(told: Store, url: str, tmp_path: Path, name: str) -> None:
    before = query(url, "SELECT position, checksum FROM event ORDER BY position")
    path = tmp_path / name

    done = await archived(url, path)

    assert done == Archived(jobs=3, events=14, removed_jobs=3, removed_events=14, removed_graphs=1)
    lines = lines_of(path)
    assert [line["kind"] for line in lines[:2]] == ["archive", "event"]
    assert lines[-1] == {"kind": "end", "jobs": 3, "events": 14, "graphs": 2}
    events = [line for line in lines if line["kind"] == "event"]
    lives = [(one["job_id"], one["incarnation"], one["version"]) for one in events]
    assert lives == [
        (job_id, incarnation, version)
        for job_id, incarnation, last in (("gone", 1, 5), ("other", 1, 3), ("gone", 2, 6))
        for version in range(1, last + 1)
    ]
    left = query(url, "SELECT position, checksum FROM event ORDER BY position")
    both = left[:-1] + [{"position": one["position"], "checksum": one["checksum"]} for one in events]
    assert sorted(both, key=lambda one: one["position"]) == before
    assert {line["source"] for line in lines if line["kind"] == "graph"} >= {OWN_GRAPH.source}
    assert await told.graph(OWN_GRAPH.digest) is None
    assert await told.verify() == []
    assert await told.verify([path]) == []
    legal(url)


async def test_jobs_go_on_as_if_nothing_were(told: Store, url: str, tmp_path: Path) -> None:
    jobs = (await told.snapshot()).jobs
    await archived(url, tmp_path / "old")

    assert (await told.snapshot()).jobs == jobs
    again = await told.submit(create(GONE, OWN_GRAPH), CLIENT)
    assert again.job is not None
    assert (again.job.incarnation, again.job.version) == (3, 1)
    assert await told.graph(OWN_GRAPH.digest) == OWN_GRAPH
    assert await told.rebuild() == 3
    assert await told.verify() == []
    legal(url)


async def test_a_graph_that_a_live_job_had_or_is_to_have_stays(told: Store, url: str, tmp_path: Path) -> None:
    await told.submit(ChangeJob(job_id=A, graph=OWN_GRAPH), CLIENT)

    assert (await archived(url, tmp_path / "old")).removed_graphs == 0

    assert await told.graph(OWN_GRAPH.digest) == OWN_GRAPH
    await told.submit(delete(A), CLIENT)
    await told.submit(seen(e.EngineStopped(attempt=1, reason="deleted"), A), RUNNER)
    await told.submit(seen(e.JobDeleted(), A), RUNNER)
    assert (await archived(url, tmp_path / "new")).removed_graphs == 1
    assert OWN_GRAPH.source in (tmp_path / "new").read_text().replace("\\", "")
    assert await told.verify([tmp_path / "old", tmp_path / "new"]) == []


async def test_only_what_ended_long_ago_goes(told: Store, url: str, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    path = tmp_path / "old"
    assert await archive(url, path, now - SOON, now) is None
    assert not list(tmp_path.glob("*old*"))
    await told.submit(delete(B), CLIENT)  # asked for, and not done yet

    await archived(url, path)

    left = query(url, "SELECT DISTINCT job_id FROM event WHERE job_id IS NOT NULL ORDER BY job_id")
    assert [one["job_id"] for one in left] == ["job-a", "job-b"]


async def test_what_tells_the_log_from_others_stays(store: Store, url: str, tmp_path: Path) -> None:
    """Its first event, whoever's that is."""
    await created_and_deleted(store, A)
    await created_and_deleted(store, A, 2)
    name = await store.log_name()

    assert (await archived(url, tmp_path / "old")).removed_jobs == 1

    assert await store.log_name() == name
    assert (await store.submit(create(A), CLIENT)).events[0].incarnation == 3
    assert await store.verify([tmp_path / "old"]) == []
    legal(url)


async def test_that_a_files_job_was_deleted_is_not_forgotten(store: Store, url: str, tmp_path: Path) -> None:
    await store.elect(RUNNER, "machine-a", 1)
    of_file = create(A)
    for incarnation in (1, 2):
        await store.submit(
            of_file.__class__(job_id=A, graph=of_file.graph, origin="file", file_digest="f"), CLIENT
        )
        await store.submit(delete(A), CLIENT)
        await store.submit(seen(e.JobDeleted(), A, incarnation), RUNNER)
    last = await store.last_incarnation(A)
    await created_and_deleted(store, B)

    assert (await archived(url, tmp_path / "old")).removed_jobs == 2

    assert await store.last_incarnation(A) == last
    assert await store.last_incarnation(B) == ()


async def test_several_archives(told: Store, url: str, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second.gz"
    await archived(url, first)
    await told.submit(delete(B), CLIENT)
    await told.submit(seen(e.JobDeleted(), B), RUNNER)
    await archived(url, second)

    assert await told.verify([first, second]) == []
    assert await told.verify([second, first]) == []
    (difference,) = await told.verify([second])
    assert (difference.column, difference.expected) == ("archive first", "14 events more, which left the log")
    legal(url)


async def test_in_many_small_transactions(
    told: Store, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "EVENTS_A_BATCH", 1)
    await archived(url, tmp_path / "old")

    assert len(query(url, "SELECT DISTINCT archive FROM log_gap")) == 1
    assert await told.verify([tmp_path / "old"]) == []
    legal(url)


async def test_the_same_call_again_does_nothing(told: Store, url: str, tmp_path: Path) -> None:
    await archived(url, tmp_path / "old")
    head = query(url, HEAD)
    content = (tmp_path / "old").read_bytes()

    again = await archived(url, tmp_path / "old")

    assert again == Archived(jobs=3, events=14)
    assert query(url, HEAD) == head
    assert (tmp_path / "old").read_bytes() == content


async def test_while_others_write(told: Store, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "EVENTS_A_BATCH", 10)
    follower = Follower(told)
    await follower.catch_up()
    for number in range(20):
        await created_and_deleted(told, JobId(f"short-{number}"))
    moving = asyncio.create_task(archived(url, tmp_path / "old"))
    number = 0
    while not moving.done():
        await told.submit(create(JobId(f"new-{number}")), CLIENT)
        number += 1

    assert (await moving).removed_jobs == 23
    await follower.catch_up()
    assert sorted(follower.jobs) == sorted(["job-a", "job-b", *(f"new-{one}" for one in range(number))])
    assert await told.verify([tmp_path / "old"]) == []
    legal(url)


async def test_a_follower_learns_of_deletions_that_were_archived_before_it_read_them(
    told: Store, url: str, tmp_path: Path
) -> None:
    follower = Follower(told)
    await follower.catch_up()
    await told.submit(delete(A), CLIENT)
    await told.submit(seen(e.JobDeleted(), A), RUNNER)
    await archived(url, tmp_path / "old")

    await follower.catch_up()

    assert list(follower.jobs) == ["job-b"]


async def test_what_was_seen_of_the_log_may_be_in_an_archive(told: Store, url: str, tmp_path: Path) -> None:
    """By a process, or an installation, that was away for long."""
    marks = [told.seen]
    for attempt in (1, 2):
        await told.submit(started(attempt, B), RUNNER)
        marks.append(told.seen)
    await told.submit(delete(B), CLIENT)
    await told.submit(seen(e.JobDeleted(), B), RUNNER)
    marks.append(told.seen)
    await archived(url, tmp_path / "old")

    for mark in marks:
        check(url, mark)


async def test_nothing_else_is_let_go(told: Store, url: str, tmp_path: Path) -> None:
    await archived(url, tmp_path / "old")
    for statement in (
        "DELETE FROM event WHERE position = 2",
        "DELETE FROM event WHERE job_id IS NULL",
        "DELETE FROM log_gap",
        "UPDATE log_gap SET to_position = to_position + 1",
        "DELETE FROM archived_job",
        "UPDATE archived_job SET events = 1",
    ):
        with pytest.raises(DBAPIError, match=r"is append-only: (UPDATE|DELETE) refused"):
            query(url, statement)


@pytest.mark.parametrize(
    ("rows", "position"),
    [
        ("(2, 2, 'x', 1)", 2),  # another checksum than the event's
        ("(4, 2, 'x', 1)", 2),  # right place, but its job was never archived
    ],
)
async def test_a_gap_alone_lets_nothing_go(told: Store, url: str, rows: str, position: int) -> None:
    query(url, f"INSERT INTO log_gap (to_position, from_position, checksum, archive) VALUES {rows}")
    with pytest.raises(DBAPIError, match="event is append-only: DELETE refused"):
        query(url, f"DELETE FROM event WHERE position = {position}")
    assert "log_gap" in {one.column for one in await told.verify()}


@pytest.mark.parametrize(
    ("damage", "column"),
    [
        ("UPDATE log_gap SET checksum = 'x' WHERE to_position = 18", "event.checksum"),
        ("DELETE FROM log_gap WHERE to_position = 18", "event.position"),
        ("UPDATE log_gap SET from_position = from_position - 1 WHERE to_position = 18", "log_gap"),
        ("UPDATE log_gap SET archive = 1 WHERE to_position = 18", "event.type"),
        ("DELETE FROM archived_job WHERE job_id = 'other'", "archived_job.events"),
        ("UPDATE archived_job SET events = 7 WHERE job_id = 'other'", "archived_job.events"),
        ("DELETE FROM event WHERE type = 'events-archived'", "event.type"),
    ],
)
async def test_damage_to_what_was_archived_is_found(
    told: Store, url: str, tmp_path: Path, damage: str, column: str
) -> None:
    await archived(url, tmp_path / "old")
    unlock(url)
    for table in ("log_gap", "archived_job"):
        if url.startswith("sqlite"):
            query(url, f"DROP TRIGGER {table}_refuses_update")
            query(url, f"DROP TRIGGER {table}_refuses_delete")
        else:
            query(url, f"ALTER TABLE {table} DISABLE TRIGGER USER")

    assert query(url, "SELECT to_position FROM log_gap WHERE to_position = 18") == [{"to_position": 18}]
    query(url, damage)

    assert column in {one.column for one in await told.verify()}


async def found_with(store: Store, path: Path, line: int, old: str, new: str) -> list[Difference]:
    lines = path.read_text().splitlines(keepends=True)
    assert old in lines[line]
    lines[line] = lines[line].replace(old, new)
    path.write_text("".join(lines))
    return await store.verify([path])


@pytest.mark.parametrize(
    ("line", "old", "new", "reason"),
    [
        (1, '"actor":"10.0.0.7"', '"actor":"10.0.0.8"', "damaged at line 2: it is not as it was written"),
        (1, "only gone", "only", ""),
        (-2, '"source":"', '"source":" ', "it is not as it was written"),
        (-1, '"events":14', '"events":15', "lines are missing"),
        (-1, '"kind":"end"', '"kind":"END"', "it cannot be read"),
    ],
)
async def test_a_damaged_archive(
    told: Store, url: str, tmp_path: Path, line: int, old: str, new: str, reason: str
) -> None:
    path = tmp_path / "old"
    await archived(url, path)
    if not reason:
        line, old, new, reason = 3, '"kind":"event"', '"kind":"even"', "it cannot be read"

    difference = (await found_with(told, path, line, old, new))[0]

    assert difference.column == "archive old"
    assert reason in difference.found
    with pytest.raises(Refused, match="nothing was removed"):
        await archived(url, path)


async def test_a_life_that_is_missing_in_its_archive(told: Store, url: str, tmp_path: Path) -> None:
    """A file whose every line is right, and that is not the one that was written."""
    path = tmp_path / "old"
    await archived(url, path)
    lines = [line for line in path.read_text().splitlines(keepends=True) if '"other"' not in line]
    lines[-1] = '{"kind":"end","jobs":2,"events":11,"graphs":2}\n'
    path.write_text("".join(lines))

    columns = [(one.column, one.found) for one in await told.verify([path])]

    assert columns[0][0] == "archive old"
    assert columns[-1] == ("archive old", "not given")


async def test_files_that_are_no_archive_of_this_log(told: Store, url: str, tmp_path: Path) -> None:
    path = tmp_path / "old"
    await archived(url, path)
    for content in (b"", b"{}\n", b"\x1f\x8b nonsense", path.read_bytes()[:-20]):
        (tmp_path / "bad").write_bytes(content)
        with pytest.raises(Refused, match="give the new archive another name"):
            await archived(url, tmp_path / "bad")
    with pytest.raises(Refused, match="is no file"):
        await archived(url, tmp_path)
    head = path.read_text().splitlines(keepends=True)
    (tmp_path / "foreign").write_text("".join([head[0].replace('"log":"', '"log":"x'), *head[1:]]))
    with pytest.raises(Refused, match="is an archive of another log"):
        await archived(url, tmp_path / "foreign")


async def test_a_backup_from_before_is_archived_again(url: str, tmp_path: Path) -> None:
    """And a backup from afterwards has gaps, as the database had."""
    await (await tell(await Store.open(url))).close()
    path, target = tmp_path / "old", f"sqlite:///{tmp_path / 'target.db'}"
    await asyncio.to_thread(backup, url, tmp_path / "before.db")
    await archived(url, path)
    await asyncio.to_thread(backup, url, tmp_path / "after.db")

    for source in ("before", "after"):
        for to in (target, url):
            await restore(to, tmp_path / f"{source}.db", "machine-a", replace=True)
            again = await archived(to, path)
            assert again.removed_jobs == (3 if source == "before" else 0)
            store = await Store.open(to)
            assert await store.verify([path]) == []
            await store.close()
            legal(to)


async def test_a_file_of_another_history_removes_nothing(url: str, tmp_path: Path) -> None:
    """The same log, restored to before a job was deleted that the archive has."""
    told = await tell(await Store.open(url))
    await asyncio.to_thread(backup, url, tmp_path / "before.db")
    await told.submit(delete(B), CLIENT)
    await told.submit(seen(e.JobDeleted(), B), RUNNER)
    await archived(url, tmp_path / "old")
    await told.close()
    await restore(url, tmp_path / "before.db", "machine-a", replace=True)
    before = query(url, "SELECT position FROM event WHERE job_id = 'job-b'")

    with pytest.raises(Refused, match="does not fit this database: job job-b"):
        await archived(url, tmp_path / "old")

    assert query(url, "SELECT position FROM event WHERE job_id = 'job-b'") == before
    legal(url)


@pytest.fixture
async def history(told: Store, url: str, tmp_path: Path) -> AsyncIterator[History]:
    """Of the log without what is archived in "old"."""
    await archived(url, tmp_path / "old")
    opened = History(url)
    yield opened
    await opened.close()


async def test_the_log_says_what_is_in_an_archive(history: History) -> None:
    page = await history.after(Position(0), 100, Wanted())
    covered: list[int] = []
    for one in page.events:
        if isinstance(one.event, e.InArchive):
            assert one.event.file == "old"
            assert one.event.events == one.event.to_position - one.event.from_position + 1
            assert one.position == one.event.to_position
            covered += range(one.event.from_position, one.event.to_position + 1)
        else:
            covered.append(one.position)
    assert covered == list(range(1, page.head + 1))
    assert page.looked_at == page.head
    assert (await history.newest(100)).events == page.events


@pytest.mark.parametrize("limit", [1, 2, 3])
@pytest.mark.parametrize(
    "wanted",
    [Wanted(), Wanted(types=frozenset({"job-created"})), Wanted(job_id=GONE), Wanted(job_id=JobId("never"))],
)
async def test_pages_over_gaps_join_up(history: History, limit: int, wanted: Wanted) -> None:
    whole = await history.after(Position(0), 100, wanted)
    found: list[e.Recorded] = []
    position = Position(0)
    while position < whole.head:
        page = await history.after(position, limit, wanted)
        assert len(page.events) <= limit
        assert page.looked_at > position
        found += page.events
        position = page.looked_at
    assert tuple(found) == whole.events
    assert all(one.type in ("in-archive", *wanted.types) for one in found if wanted.types)


async def test_a_jobs_history_says_which_lives_are_in_an_archive(told: Store, history: History) -> None:
    await told.submit(create(GONE), CLIENT)
    for newest_first in (False, True):
        events = await history.of_job(GONE, None, 100, newest_first=newest_first)
        assert events is not None
        shown = [(one.incarnation, one.type) for one in events]
        expected = [(1, "in-archive"), (2, "in-archive"), (3, "job-created")]
        assert shown == (expected[::-1] if newest_first else expected)
        page = await history.of_job(GONE, events[0].position, 1, newest_first=newest_first)
        assert page == [events[1]]
    (only,) = await history.of_job(OTHER, None, 10, newest_first=False) or ()
    assert only.event == e.InArchive(from_position=7, to_position=12, events=3, file="old")
    assert await history.is_known(OTHER)
