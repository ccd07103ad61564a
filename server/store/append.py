"""The only way into the log: one thread that gathers what waits and commits it together."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from typing import Any

import sqlalchemy as sa

from server.failpoints import Failpoint, hit
from server.jobs.ids import JobId
from server.jobs.state import Job
from server.store import keyed, patience, queries
from server.store.batch import Appended, Batch, Submission
from server.store.database import Database, Rows
from server.store.errors import CannotStore, CommitUnknown, StoreError, StoreUnavailable
from server.store.gaps import ARCHIVED, newest_archived
from server.store.head import EMPTY, Head, head_of
from server.store.rows import Values, graph_values, job_of, job_values, loop_values
from server.store.seen import COLUMNS_OF_HEAD, Watermark, checksum_at, checksum_at_known
from server.store.session import Session
from server.store.tables import EVENT, JOB, LOG_HEAD

MOST_IN_A_BATCH = 512
LOOK_AFTER_SECONDS = (0.0, 0.2, 0.5, 1.0, 2.0)
"""Pauses before the looks at the log that find out what came of a commit that was not answered."""
MOST_WAITING = 20_000
"""Submissions that may wait for the database before new ones are refused."""

Outcome = tuple[Appended, ...] | BaseException
Transaction = Callable[[sa.Connection], tuple[Any, bool]]
"""Work with a transaction of its own; see Session.write."""


@dataclass
class _Waiting:
    """A submission or a transaction, and who waits for it."""

    work: Submission | Transaction
    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[Any]" = field(init=False)

    def __post_init__(self) -> None:
        self.future = self.loop.create_future()


class Writer:
    """Appends on a thread of its own. `committed` is called on it after each commit, and must not block."""

    def __init__(self, database: Database, watermark: Watermark, committed: Callable[[], None]) -> None:
        self._session = Session(database)
        self.times = self._session.times
        self._database = database
        self._watermark = watermark
        self._seen = watermark.seen
        self._under_way: tuple[list[Outcome], Head] = [], EMPTY
        self._look_up = _look_up(database)
        self._committed = committed
        self._queue: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._held_back: _Waiting | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        return self._queue.qsize()

    async def submit(self, submission: Submission) -> tuple[Appended, ...]:
        """Raises: JobError, AlreadyAnswered, StaleEpoch, VersionConflict, CannotStore, StoreUnavailable.

        Cancelling the wait does not take the submission back.
        """
        if self._queue.qsize() > MOST_WAITING:
            raise self._database.unavailable(f"{MOST_WAITING} commands wait for it already; try again later")
        answer: asyncio.Future[tuple[Appended, ...]] = self._enqueue(submission)
        # not asyncio.timeout, which costs a fifth of what an event costs in all
        alarm = answer.get_loop().call_later(patience.PATIENCE_SECONDS, _give_up, answer, self._database)
        try:
            return await answer
        finally:
            alarm.cancel()

    async def transact(self, transaction: Transaction) -> Any:
        """Runs `transaction` on the writer's thread, between batches. Raises: CannotStore, StoreUnavailable."""
        return await self._enqueue(transaction)

    async def close(self) -> None:
        """Commits what waits, then ends the thread."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
        while self._thread.is_alive():
            await asyncio.to_thread(self._thread.join)

    def _enqueue(self, work: Submission | Transaction) -> "asyncio.Future[Any]":
        if self._closed:
            raise self._database.unavailable("this process is closing it")
        waiting = _Waiting(work, asyncio.get_running_loop())
        self._queue.put(waiting)
        return waiting.future

    def _run(self) -> None:
        try:
            while (first := self._held_back or self._queue.get()) is not None:
                self._held_back = None
                if isinstance(first.work, Submission):
                    self._append_all([first, *self._more_submissions()])
                else:
                    self._transact(first, first.work)
        finally:
            self._session.close()

    def _more_submissions(self) -> list[_Waiting]:
        more: list[_Waiting] = []
        while len(more) < MOST_IN_A_BATCH - 1:
            try:
                waiting = self._queue.get_nowait()
            except Empty:
                break
            if waiting is None or not isinstance(waiting.work, Submission):
                self._held_back = waiting
                if waiting is None:
                    self._queue.put(None)
                break
            more.append(waiting)
        return more

    def _transact(self, waiting: _Waiting, transaction: Transaction) -> None:
        try:
            result = self._session.write(transaction)
        except BaseException as error:
            _answer([(waiting, error)])
        else:
            _answer([(waiting, result)])

    def _append_all(self, batch: list[_Waiting]) -> None:
        submissions = [waiting.work for waiting in batch if isinstance(waiting.work, Submission)]
        try:
            outcomes = self._commit(submissions)
        except BaseException as error:
            _answer([(waiting, error) for waiting in batch])
            return
        _answer(list(zip(batch, outcomes, strict=True)))
        if any(
            _has_changed(appended) for outcome in outcomes if isinstance(outcome, tuple) for appended in outcome
        ):
            hit(Failpoint.STORE_WAKE)
            self._committed()

    def _commit(self, submissions: Sequence[Submission]) -> list[Outcome]:
        """The outcome of each. One whose data cannot be stored fails alone: the batch is taken apart for it."""
        self._seen = self._watermark.seen
        try:
            outcomes, head = self._session.write(lambda connection: self._append(connection, submissions))
            self._watermark.take(head)
            return outcomes
        except CommitUnknown as error:
            return self._find_out(submissions, error)
        except StoreError as error:
            if len(submissions) == 1 or not isinstance(error, CannotStore):
                return [type(error)(*error.args) for _ in submissions]
        return [outcome for one in submissions for outcome in self._commit([one])]

    def _find_out(self, submissions: Sequence[Submission], error: CommitUnknown) -> list[Outcome]:
        """What came of a batch whose commit was not answered: nobody may hear of a failure while it is on disk.

        By the lock on the log's head, which a transaction that is still under way holds, the answer is final.
        """
        outcomes, head = self._under_way
        for pause in LOOK_AFTER_SECONDS:
            time.sleep(pause)
            with suppress(StoreUnavailable):
                found = self._session.write(lambda connection: (checksum_at(connection, head.position), False))
                if found == ARCHIVED:
                    break
                if found != head.checksum:
                    return [StoreUnavailable(*error.args) for _ in submissions]
                self._watermark.take(head)
                return outcomes
        told = f"{error}; it is not known whether the command took effect"
        return [StoreUnavailable(told) for _ in submissions]

    def _append(
        self, connection: sa.Connection, submissions: Sequence[Submission]
    ) -> tuple[tuple[list[Outcome], Head], bool]:
        batch = self._read_batch(connection, submissions)
        outcomes: list[Outcome] = []
        for submission in submissions:
            try:
                outcomes.append(batch.apply(submission))
            except Exception as error:  # what it refuses concerns one submission only
                outcomes.append(error)
        changed = bool(batch.events or batch.looped)
        if changed:
            self._database.write(connection, rows_of(batch))
        if batch.keyed.changed:
            changed = True
            keyed.write(connection, batch.keyed.changed, batch.now)
        self._under_way = outcomes, batch.head if batch.events else EMPTY
        return (outcomes, batch.head), changed

    def _read_batch(self, connection: sa.Connection, submissions: Sequence[Submission]) -> Batch:
        ids = sorted(set().union(*(submission.job_ids() for submission in submissions)))
        jobs: dict[JobId, Job | None] = {}
        incarnations: dict[JobId, int] = {}
        parameters = {"ids": self._database.ids_value(ids), "known": self._seen.position}
        rows = connection.execute(self._look_up, parameters).all()
        head, checksum = head_of(rows[0][:COLUMNS_OF_HEAD]), rows[0][COLUMNS_OF_HEAD]
        self._watermark.compare(self._seen, head, checksum)
        for row in rows:
            job_id, in_log, in_archive = row[COLUMNS_OF_HEAD + 1 : COLUMNS_OF_HEAD + 4]
            if job_id is not None:
                columns = row[COLUMNS_OF_HEAD + 4 :]
                jobs[job_id] = None if columns[0] is None else job_of(columns)
                incarnations[job_id] = max(in_log or 0, in_archive or 0)
        looping = [job.job_id for job in jobs.values() if job is not None and job.left_out]
        beside = queries.left_out(connection, looping) if looping else {}
        loops = {job_id: one.events for job_id, one in beside.items()}
        names = {one.once.name for one in submissions if one.once is not None}
        known = keyed.find(connection, names) if names else {}
        return Batch(head, jobs, incarnations, datetime.now(UTC), loops, known)


def _look_up(database: Database) -> sa.Select[tuple[Any, ...]]:
    """The log's head, and the checksum at position `known`; and for each of the ids its newest incarnation in the
    log, that in an archive, and its row in `job`, if it has them. One row with the head alone, when there are no
    ids."""
    ids = database.ids_table()
    newest = (
        sa.select(EVENT.c.incarnation)
        .where(EVENT.c.job_id == ids.c.value)
        .order_by(EVENT.c.incarnation.desc())
        .limit(1)
        .scalar_subquery()
    )
    all_ids = LOG_HEAD.outerjoin(ids, sa.true()).outerjoin(JOB, JOB.c.job_id == ids.c.value)
    incarnations = newest, newest_archived(ids.c.value)
    columns = checksum_at_known(), ids.c.value, *incarnations, *JOB.columns
    return sa.select(*LOG_HEAD.columns, *columns).select_from(all_ids)


def _has_changed(appended: Appended) -> bool:
    return bool(appended.events) or appended.left_out


def rows_of(batch: Batch) -> Rows:
    jobs = {job_id: batch.jobs[job_id] for job_id in batch.touched}
    return Rows(
        head=batch.head,
        graphs=[graph_values(graph, batch.now) for graph in batch.graphs.values()],
        events=batch.events,
        jobs=[job_values(job) for job in jobs.values() if job is not None],
        gone=[job_id for job_id, job in jobs.items() if job is None],
        loops=_loop_rows(batch),
        looped=list(batch.looped),
    )


def _loop_rows(batch: Batch) -> list[Values]:
    """What stands beside the log now about the jobs of which that has changed."""
    rows: list[Values] = []
    for job_id in batch.looped:
        job = batch.jobs[job_id]
        if job is not None:
            rows += loop_values(job, batch.loops[job_id], batch.head.left_out)
    return rows


def _give_up(answer: "asyncio.Future[Any]", database: Database) -> None:
    if not answer.done():
        told = "; it is not known whether the command will take effect"
        answer.set_exception(patience.unanswered(database, told))


def _answer(outcomes: Sequence[tuple[_Waiting, Any]]) -> None:
    """Gives all outcomes to their loop with one call: waking it once for each would cost more than the commit."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Waiting, Any]]] = {}
    for waiting, outcome in outcomes:
        by_loop.setdefault(waiting.loop, []).append((waiting, outcome))
    for loop, own in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_resolve, own)


def _resolve(outcomes: Sequence[tuple[_Waiting, Any]]) -> None:
    for waiting, outcome in outcomes:
        if waiting.future.done():
            continue
        if isinstance(outcome, BaseException):
            waiting.future.set_exception(outcome)
        else:
            waiting.future.set_result(outcome)
