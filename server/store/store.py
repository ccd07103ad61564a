"""The store: what the rest of the program sees of the database."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from server.jobs.commands import Command, Context, Graph
from server.jobs.errors import InvalidJobId
from server.jobs.events import LeaderElected, LossAccepted, Recorded
from server.jobs.ids import Digest, Epoch, JobId, Position
from server.jobs.once import Begun, KeptAnswer, Once
from server.store import boot_check, keyed, queries, schema, verify
from server.store.append import Writer
from server.store.archiving.check import check_archives
from server.store.audit import Difference
from server.store.batch import NO_EPOCH, Appended, Submission
from server.store.call_times import together
from server.store.database import Database
from server.store.errors import StoreUnavailable
from server.store.heads import Shared, sync_head_of
from server.store.queries import Changes, Mark, Snapshot
from server.store.reader import Reader
from server.store.rows import clean_text, is_storable
from server.store.seen import Seen, Watermark
from server.store.session import Session
from server.store.urls import database_of
from server.store.wakeups import Wakeups, wakeups_of
from server.tally import Durations
from server.tracing import step

BEGINNING = Position(0)


class Store:
    """One process's access to the event log and its projection. All methods belong to one event loop; the work is
    done on threads of the store. Every method may raise StoreUnavailable; the next call finds out anew whether the
    database is back."""

    def __init__(self, database: Database, wake: Wakeups, seen: Seen | None) -> None:
        """Use `open`."""
        self.watermark = Watermark(str(database), seen)
        """What this process has seen of the log; for other readers of it in this process."""
        self._wake = wake
        self._writer = Writer(database, self.watermark, wake.send)
        self._reader = Reader(database, "store-reader", self.watermark)
        self._head_reader = Reader(database, "store-head", self.watermark)
        self._sync_head = sync_head_of(database)
        self._shared_head = Shared(self._ask_head)

    @classmethod
    async def open(
        cls, url: str, *, wake: Wakeups | None = None, seen: Seen | None = None, check_data: bool = True
    ) -> "Store":
        """Opens the database at `url`: sqlite:////absolute/path.db or postgresql://user:password@host/name.
        `seen` is what its log is known to have had; while it has not, all methods raise HistoryLost. `check_data`
        is left out by who wants to look at damage, or mend it.

        Raises: StoreUnavailable, SchemaOutdated, SchemaTooNew, Damaged; each with one line for the person at the
        terminal.
        """
        database = database_of(url)
        await asyncio.to_thread(_check, database, check_data)
        try:
            return cls(database, wake or wakeups_of(database), seen)
        except OSError as error:
            raise database.unavailable(f"no directory for wake-ups: {error}") from error

    async def close(self) -> None:
        """Commits what was submitted, then ends the store's threads and connections."""
        await self._writer.close()
        await self._reader.close()
        await self._head_reader.close()
        await self._wake.close()
        if self._sync_head is not None:
            self._sync_head.close()

    async def submit(
        self,
        command: Command,
        context: Context,
        epoch: Epoch | None = None,
        *,
        expected_version: int | None = None,
    ) -> Appended:
        """Decides on the command against the job as it is, and appends what comes of it; returns when that is on
        disk. With `epoch`, only while that leader leads; with `expected_version` (0: no such job), only if the
        job is at it.

        Raises: JobError, StaleEpoch, VersionConflict, CannotStore; AlreadyAnswered, with `context.once`.
        """
        submission = Submission(
            commands=(command,), context=context, epoch=epoch, expected_version=expected_version
        )
        (appended,) = await self._submit(submission)
        return appended

    async def submit_all(
        self, commands: Sequence[Command], context: Context, epoch: Epoch | None = None
    ) -> tuple[Appended, ...]:
        """As `submit`, for several commands one after the other, in one transaction: all of them or none."""
        if not commands:
            return ()
        return await self._submit(Submission(commands=tuple(commands), context=context, epoch=epoch))

    async def find_keyed(self, once: Once) -> Begun | None:
        """What is remembered of that request, whoever sent it before; None when it has expired, too."""
        found = await self._reader.ask(lambda connection: keyed.find(connection, [once.name]))
        begun = found.get(once.name)
        return begun if begun is not None and begun.expires_at > datetime.now(UTC) else None

    async def keep_answer(self, context: Context, answer: KeptAnswer) -> None:
        """Keeps the answer that is about to be given to the request in `context.once`. Raises: CannotStore."""
        await self._submit(Submission(context=context, answer=answer))

    async def elect(self, context: Context, host: str, pid: int) -> Epoch:
        """Begins the next epoch; from now on, whatever carries an older one is refused."""
        election = LeaderElected(host=host, pid=pid)
        (appended,) = await self._submit(Submission(context=context, beginning=election))
        epoch = appended.events[0].epoch
        assert epoch is not None
        return epoch

    async def accept_loss(self, context: Context, host: str, known: Seen | None) -> Epoch:
        """Goes on with the log as it is, though `known` is not in it: begins an epoch that is higher than any
        before, and whoever knows of more forgets it. Returns the epoch."""
        event = LossAccepted(
            host=host,
            known_position=known.position if known else 0,
            known_checksum=known.checksum if known else "",
        )
        known_epoch = known.epoch if known else NO_EPOCH
        submission = Submission(context=context, beginning=event, known_epoch=known_epoch)
        (appended,) = await self._submit(submission)
        epoch = appended.events[0].epoch
        assert epoch is not None
        return epoch

    @property
    def seen(self) -> Seen:
        """The last event that is known to be on disk."""
        return self.watermark.seen

    async def keep_plan(self, digest: Digest, plan: str) -> None:
        """Keeps the compiled form of a graph."""
        plan = clean_text(plan)
        await self._writer.transact(lambda connection: queries.keep_plan(connection, digest, plan))

    async def snapshot(self) -> Snapshot:
        """All live jobs and the position they are at, as of one moment."""
        return await self._reader.run(queries.snapshot)

    async def changes_since(self, before: Mark) -> Changes:
        """What is different from a snapshot with the mark `before`, as of one moment."""
        return await self._reader.run(lambda connection: queries.changes_since(connection, before))

    async def graph(self, digest: Digest) -> Graph | None:
        return await self._reader.run(lambda connection: queries.graph(connection, digest))

    async def events(
        self, after: Position = BEGINNING, limit: int = 1000, job_id: JobId | None = None
    ) -> list[Recorded]:
        """Up to `limit` events behind position `after`, oldest first; with `job_id`, those of that id only."""
        return await self._reader.run(lambda connection: queries.events(connection, after, limit, job_id))

    async def log_name(self) -> str:
        """See queries.log_name."""
        return await self._reader.run(queries.log_name)

    async def last_incarnation(self, job_id: JobId) -> tuple[Recorded, ...]:
        """How the newest job of that id, live or gone, began and ended: its first event and its last hundred; none
        when there never was one."""
        return await self._reader.run(lambda connection: queries.last_incarnation(connection, job_id))

    async def verify(self, archives: Sequence[Path] = ()) -> list[Difference]:
        """Folds the whole log and compares; every difference found, none when all is well. With `archives`, files
        that `archive` wrote, also of the log with these, which then have to be all. Takes its time."""
        found = await self._reader.run_unchecked(verify.verify)
        if archives:
            found += await self._reader.run_unchecked(partial(check_archives, paths=archives))
        return found

    async def rebuild(self) -> int:
        """Writes the projection anew from the log, in one transaction; returns the number of live jobs."""
        count: int = await self._writer.transact(verify.rebuild)
        self._wake.send()
        return count

    @property
    def waiting(self) -> int:
        """How many submissions wait for the writer."""
        return self._writer.waiting

    def call_times(self) -> dict[str, Durations]:
        """How long calls to the database took so far, by their kind."""
        return together((self._writer.times, self._reader.times, self._head_reader.times))

    def sync_mark(self) -> Mark | None:
        """The mark at this moment, without waiting; None when it takes `read_mark` to tell."""
        return self._sync_head.read() if self._sync_head is not None else None

    async def read_mark(self) -> Mark:
        """The mark as it is when this is called, or later. Callers at one time share a read."""
        mark = self.sync_mark()
        return mark if mark is not None else await self._shared_head()

    async def read_head(self) -> Position:
        """The log's last position, as `read_mark`."""
        return (await self.read_mark()).position

    async def wait_for_append(self, timeout: float) -> bool:
        """Waits until something was appended, at most `timeout` seconds; whether a wake-up came. One waiter."""
        return await self._wake.wait(timeout)

    async def _ask_head(self) -> Mark:
        return await self._head_reader.ask(queries.mark)

    async def _submit(self, submission: Submission) -> tuple[Appended, ...]:
        if not all(is_storable(job_id) for job_id in submission.job_ids()):
            raise InvalidJobId
        with step("append"):
            return await self._writer.submit(submission)


def check(url: str, seen: Seen | None = None) -> None:
    """Whether the database at `url` can be served from, and has `seen`. Blocking. Raises: as Store.open."""
    database = database_of(url)
    _check(database, check_data=True)
    watermark = Watermark(str(database), seen)
    session = Session(database)
    try:
        session.read(lambda connection: watermark.check(connection, watermark.seen))
    finally:
        session.close()


def _check(database: Database, check_data: bool) -> None:
    boot_check.check_file(database)
    session = Session(database)
    try:
        session.read(lambda connection: schema.check(database, connection))
        if check_data:
            session.read(lambda connection: boot_check.check(database, connection))
    finally:
        session.close()


__all__ = ["Appended", "Changes", "Difference", "Snapshot", "Store", "StoreUnavailable"]
