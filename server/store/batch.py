"""What a batch of submissions does to the log and to the projection, worked out in memory."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

import msgspec

from server.jobs.commands import ChangeJob, Command, Context, CreateJob, Graph, decide_in
from server.jobs.crash_loop import is_left_out, leave_out
from server.jobs.events import (
    BackupRestored,
    Event,
    EventsArchived,
    JobCreated,
    LeaderElected,
    LossAccepted,
    Recorded,
    encode_event,
)
from server.jobs.ids import Digest, Epoch, JobId, Position
from server.jobs.once import Begun, KeptAnswer, Name, Once
from server.jobs.state import Job, fold
from server.store.checksums import event_checksum
from server.store.errors import StaleEpoch, VersionConflict
from server.store.head import Head
from server.store.keyed import KeyedRequests, job_in
from server.store.rows import Values, clean_context, clean_event, event_values
from server.store.tables import time_text

replace = msgspec.structs.replace

NO_EPOCH = Epoch(0)
NO_LOOPS: Mapping[JobId, tuple[Recorded, ...]] = MappingProxyType({})
NO_KEYED: Mapping[Name, Begun] = MappingProxyType({})


class Appended(msgspec.Struct, frozen=True):
    """What came of a command. `job` is the job after it, None when it is gone; `head` the log's end at that
    moment. `events` are those that went into the log: what was left out of it before comes first. Without any, and
    without `left_out`, the command changed nothing; or, when `resumed`, it was carried out before, and this is the
    job as it was then."""

    events: tuple[Recorded, ...]
    job: Job | None
    head: Position
    left_out: bool = False
    resumed: bool = False


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """Commands that take effect together or not at all; or, in their place, an event of no job: one that begins an
    epoch, higher than `known_epoch`, or a `remark`; or the `answer` to be kept of the request `context.once`."""

    commands: Sequence[Command] = ()
    context: Context
    epoch: Epoch | None = None
    expected_version: int | None = None
    beginning: LeaderElected | BackupRestored | LossAccepted | None = None
    known_epoch: Epoch = NO_EPOCH
    remark: EventsArchived | None = None
    answer: KeptAnswer | None = None

    def job_ids(self) -> set[JobId]:
        return {command.job_id for command in self.commands}

    @property
    def once(self) -> Once | None:
        return self.context.once


class Batch:
    """The log's head and the jobs concerned, as read under the writer's lock, moved on by each `apply`."""

    def __init__(
        self,
        head: Head,
        jobs: dict[JobId, Job | None],
        incarnations: dict[JobId, int],
        now: datetime,
        loops: Mapping[JobId, tuple[Recorded, ...]] = NO_LOOPS,
        keyed: Mapping[Name, Begun] = NO_KEYED,
    ) -> None:
        """`loops`: what is left out of the log now; `keyed`: what is remembered of the submissions' requests."""
        self.head = head
        self.events: list[Values] = []
        self.touched: set[JobId] = set()
        self.graphs: dict[Digest, Graph] = {}
        self.jobs = jobs
        self._incarnations = incarnations
        self._now = now
        self._last_text = now, time_text(now)
        self.loops = dict(loops)
        self.looped: set[JobId] = set()
        self.keyed = KeyedRequests(keyed, now)

    def apply(self, submission: Submission) -> tuple[Appended, ...]:
        """What each command of the submission does. When this raises, the submission has done nothing.

        Raises: JobError, AlreadyAnswered, StaleEpoch, VersionConflict.
        """
        once = submission.once
        if once is None:
            return self._carry_out(submission)
        if submission.answer is not None:
            self.keyed.keep(once, submission.answer)
            return ()
        begun = self.keyed.resumed(once)
        if begun is not None:
            return (Appended((), job_in(begun), self.head.position, resumed=True),)
        appended = self._carry_out(submission)
        self.keyed.begin(once, appended[-1].job)
        return appended

    def _carry_out(self, submission: Submission) -> tuple[Appended, ...]:
        if submission.epoch is not None and submission.epoch != self.head.epoch:
            raise StaleEpoch(
                f"epoch {submission.epoch} leads no more, epoch {self.head.epoch} does; this runner must give up"
            )
        draft = _Draft(self, clean_context(submission.context), submission.epoch)
        if submission.beginning is not None:
            draft.begin_epoch(submission.beginning, submission.known_epoch)
        if submission.remark is not None:
            draft.note(submission.remark)
        for command in submission.commands:
            draft.run(command, submission.expected_version)
        return draft.merge()

    def incarnation_after(self, job_id: JobId) -> int:
        return self._incarnations.get(job_id, 0) + 1

    def live_jobs_with(self, changed: Mapping[JobId, Job | None]) -> int:
        """How many jobs live, once `changed` has taken effect too."""
        difference = 0
        for job_id, job in changed.items():
            difference += (job is not None) - (self.jobs.get(job_id) is not None)
        return self.head.jobs + difference

    @property
    def now(self) -> datetime:
        return self._now

    def text_of(self, at: datetime) -> str:
        """As time_text; most times of a batch are the same one."""
        if at is not self._last_text[0]:
            self._last_text = at, time_text(at)
        return self._last_text[1]

    def take(self, draft: "_Draft") -> None:
        self.head = draft.head_after(self.live_jobs_with(draft.jobs))
        self.events += draft.rows
        self.graphs |= draft.graphs
        self.jobs |= draft.jobs
        self.touched |= draft.jobs.keys()
        self._incarnations |= draft.incarnations
        self.loops |= draft.loops
        self.looped |= draft.loops.keys()


class _Draft:
    """One submission's changes, until it is sure that all its commands go through."""

    def __init__(self, batch: Batch, context: Context, epoch: Epoch | None) -> None:
        self._batch = batch
        self._context = context
        self._epoch = epoch
        self.position = batch.head.position
        self.checksum = batch.head.checksum
        self.new_epoch = batch.head.epoch
        self.fence = batch.head.fence
        self.rows: list[Values] = []
        self.jobs: dict[JobId, Job | None] = {}
        self.graphs: dict[Digest, Graph] = {}
        self.incarnations: dict[JobId, int] = {}
        self.left_out = batch.head.left_out
        self.loops: dict[JobId, tuple[Recorded, ...]] = {}
        self._done: list[tuple[tuple[Recorded, ...], Job | None, bool]] = []

    def begin_epoch(self, event: LeaderElected | BackupRestored | LossAccepted, known: Epoch) -> None:
        newest = max(self._batch.head.epoch, known)
        if not isinstance(event, LeaderElected):
            # epochs were given in the part that is lost, to engines among others, and nobody here knows how many
            newest = max(newest, Epoch(int(self._batch.now.timestamp())))
        self.new_epoch = Epoch(newest + 1)
        if not isinstance(event, LeaderElected):
            self.fence = self.new_epoch
        self._epoch = self.new_epoch
        self.note(event)

    def note(self, event: Event) -> None:
        self._done.append(((self._record(event, JobId(""), 0, 0),), None, False))

    def run(self, command: Command, expected_version: int | None) -> None:
        job_id = command.job_id
        job = self.jobs[job_id] if job_id in self.jobs else self._batch.jobs.get(job_id)
        version = job.version if job is not None else 0
        if expected_version is not None and expected_version != version:
            raise VersionConflict(
                f"job {job_id} is at version {version}, not at {expected_version}; look at it again"
            )
        events: list[Recorded] = []
        left_out_before = self.left_out
        live_jobs = self._batch.live_jobs_with(self.jobs)
        for event in decide_in(self._context, self.fence, job, command, live_jobs):
            if job is not None and is_left_out(job, self._loop_of(job_id), event):
                job = self._leave_out(job, event)
                continue
            if job is not None:
                job = self._write_down(job, events)
            if isinstance(event, JobCreated):
                incarnation, version = self._next_incarnation(job_id), 0
            else:
                assert job is not None
                incarnation, version = job.incarnation, job.version
            recorded = self._record(event, job_id, incarnation, version + 1)
            job = fold(job, recorded)
            events.append(recorded)
        is_left_out_now = self.left_out > left_out_before
        if events or is_left_out_now:
            self.jobs[job_id] = job
        if events and isinstance(command, CreateJob | ChangeJob) and command.graph is not None:
            self.graphs[command.graph.digest] = command.graph
        self._done.append((tuple(events), job, is_left_out_now))

    def merge(self) -> tuple[Appended, ...]:
        self._batch.take(self)
        return tuple(Appended(events, job, self.position, left_out) for events, job, left_out in self._done)

    def head_after(self, jobs: int) -> Head:
        """The log's head with this draft's events in it and `jobs` live jobs."""
        return Head(
            position=self.position,
            epoch=self.new_epoch,
            fence=self.fence,
            left_out=self.left_out,
            jobs=jobs,
            checksum=self.checksum,
        )

    def _loop_of(self, job_id: JobId) -> tuple[Recorded, ...]:
        """What is left out of the log about that job."""
        return self.loops[job_id] if job_id in self.loops else self._batch.loops.get(job_id, ())

    def _leave_out(self, job: Job, event: Event) -> Job:
        event, _ = clean_event(event)
        recorded = self._recorded(event, job.job_id, job.incarnation, job.version, job.position)
        after, self.loops[job.job_id] = leave_out(job, self._loop_of(job.job_id), recorded)
        self.left_out += 1
        return after

    def _write_down(self, job: Job, events: list[Recorded]) -> Job:
        """Brings what was left out of the log into it: the job is the same after that, at a later position."""
        loop = self._loop_of(job.job_id)
        for one in loop:
            self.position = Position(self.position + 1)
            # the epoch says who leads when this comes into the log, the time when it happened
            recorded = replace(one, position=self.position, version=job.version + 1, epoch=self.new_epoch)
            self._add_row(recorded, encode_event(recorded.event))
            events.append(recorded)
            job = replace(job, position=self.position, version=recorded.version, left_out=0)
        if loop:
            self.loops[job.job_id] = ()
        return job

    def _next_incarnation(self, job_id: JobId) -> int:
        before = self.incarnations.get(job_id)
        incarnation = self._batch.incarnation_after(job_id) if before is None else before + 1
        self.incarnations[job_id] = incarnation
        return incarnation

    def _record(self, event: Event, job_id: JobId, incarnation: int, version: int) -> Recorded:
        self.position = Position(self.position + 1)
        event, data = clean_event(event)
        recorded = self._recorded(event, job_id, incarnation, version, self.position)
        self._add_row(recorded, data)
        return recorded

    def _add_row(self, recorded: Recorded, data: str) -> None:
        row = event_values(recorded, data)
        columns = [*row.values()]
        columns[-1] = self._batch.text_of(recorded.recorded_at)
        row["checksum"] = self.checksum = event_checksum(self.checksum, columns)
        self.rows.append(row)

    def _recorded(
        self, event: Event, job_id: JobId, incarnation: int, version: int, position: Position
    ) -> Recorded:
        return Recorded(
            position=position,
            job_id=job_id,
            incarnation=incarnation,
            version=version,
            event=event,
            type=event.type,
            schema_version=event.schema_version,
            actor=self._context.actor,
            request_id=self._context.request_id,
            idempotency_key=self._context.idempotency_key,
            epoch=self._epoch,
            recorded_at=self._batch.now,
        )
