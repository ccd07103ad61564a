"""The versions of a job: which one it is at, which one is on its way; and the part of the fold that is about them.

Version 1 is what the job was created with; each change asked for is one more, whether it came to something or not.
On the wire they are versions; here revisions, as `version` counts events.
"""

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from server.jobs import events as e
from server.jobs.ids import Digest
from server.jobs.options import JobOptions
from server.jobs.orders import without_one_being_started, without_past
from server.jobs.words import Actual

if TYPE_CHECKING:
    from server.jobs.state import Job

replace = msgspec.structs.replace


class PendingChange(msgspec.Struct, frozen=True, kw_only=True):
    """A change that waits for its engine, the successor, to be ready. `attempt` and `engine` are the successor's,
    0 and None while none is known."""

    revision: int
    graph_digest: Digest
    options: JobOptions
    file_digest: str
    at: datetime
    attempt: int = 0
    engine: e.EngineIdentity | None = None


class FailedChange(msgspec.Struct, frozen=True, kw_only=True):
    """The last change, when it came to nothing."""

    revision: int
    at: datetime
    message: str


class Changes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`newest`: number of the newest revision; `attempt`: of the newest successor. `takes_over`: the job's engine
    was a successor, and may not serve yet; `replaced`: the attempt before it, as long as its end is not known."""

    newest: int = 1
    attempt: int = 0
    pending: PendingChange | None = None
    failed: FailedChange | None = None
    takes_over: bool = False
    replaced: int = 0


NO_CHANGES = Changes()


def needs_engine(old: JobOptions, new: JobOptions) -> bool:
    """Whether an engine has to be started anew to notice the difference."""
    return (old.limits, old.stall_after) != (new.limits, new.stall_after)


def fold_change(job: "Job", event: e.ChangeEvent, at: datetime) -> "Job":
    match event:
        case e.ChangeRequested():
            pending = PendingChange(
                revision=event.revision,
                graph_digest=event.graph_digest,
                options=event.options,
                file_digest=event.file_digest,
                at=at,
            )
            changes = replace(job.changes, newest=event.revision, pending=pending, failed=None)
            return replace(job, changes=changes)
        case e.SuccessorStarted():
            return _with_successor(job, event)
        case e.ChangeApplied():
            return _applied(job, event, at)
        case e.ChangeFailed():
            failed = FailedChange(revision=event.revision, at=at, message=event.error)
            return replace(job, changes=replace(job.changes, pending=None, failed=failed))


def _with_successor(job: "Job", event: e.SuccessorStarted) -> "Job":
    pending = job.changes.pending
    if pending is not None:
        pending = replace(pending, attempt=event.attempt, engine=event.engine)
    return replace(job, changes=replace(job.changes, attempt=event.attempt, pending=pending))


def _applied(job: "Job", event: e.ChangeApplied, at: datetime) -> "Job":
    pending = job.changes.pending
    if pending is None or pending.revision != event.revision:
        return job
    is_new_start = pending.graph_digest != job.graph_digest or needs_engine(job.options, pending.options)
    changes = replace(job.changes, pending=None)
    if event.attempt is not None:
        replaced = job.attempt if job.actual is not Actual.NONE else 0
        changes = replace(changes, takes_over=True, replaced=replaced)
    job = replace(
        job,
        revision=pending.revision,
        graph_digest=pending.graph_digest,
        options=pending.options,
        file_digest=pending.file_digest,
        changes=changes,
    )
    if not is_new_start:
        return job
    # what came of the old content says nothing about the new
    job = replace(
        without_past(job),
        orders=without_one_being_started(job),
        ever_ready=event.attempt is not None,
    )
    if event.attempt is None:
        return job
    return replace(
        job,
        actual=Actual.READY,
        attempt=event.attempt,
        engine=event.engine,
        endpoints=event.endpoints,
        ready_at=at,
        stalled=None,
        stalls=0,
    )


def without_replaced(job: "Job", attempt: int) -> "Job":
    """The job once it is known that the engine of `attempt` is gone."""
    if job.changes.replaced != attempt:
        return job
    return replace(job, changes=replace(job.changes, replaced=0))


def is_change_news(job: "Job", event: e.ChangeEvent) -> bool:
    """Whether the runner's word on a change is about the one that is on its way."""
    pending = job.changes.pending
    if pending is None:
        return False
    match event:
        case e.SuccessorStarted(attempt=attempt):
            return attempt > max(job.attempt, job.changes.attempt)
        case e.ChangeApplied(revision=revision, attempt=attempt):
            return revision == pending.revision and attempt == pending.attempt
        case e.ChangeFailed(revision=revision):
            return revision == pending.revision
        case _:
            return False
