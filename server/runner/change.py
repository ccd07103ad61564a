"""What to do next for a job that is being changed: a pure function, asked before `reconcile`.

A job has its engine, and for a while a second one beside it: the successor, which is to take over; or the engine
that it took over from, which is on its way out.
"""

import msgspec

from server.jobs.state import Job
from server.jobs.words import Desired
from server.runner.reconcile import EngineView


class SecondView(msgspec.Struct, frozen=True):
    """What the runner knows of the second engine. `successor`: it was started as one; `ready`: its units are open;
    `leaving`: it was told to stop, or has said its last word."""

    incarnation: int
    attempt: int
    successor: bool
    ready: bool = False
    leaving: bool = False


class StartSuccessor(msgspec.Struct, frozen=True):
    attempt: int


class RecordSuccessor(msgspec.Struct, frozen=True):
    """A successor exists that the log does not know: its leader died between the two."""


class Apply(msgspec.Struct, frozen=True):
    """The successor is ready: from now on it is the job's engine."""


class TakeOver(msgspec.Struct, frozen=True):
    """The job's engine was a successor, and may not know yet that it is one no more."""


class StopSecond(msgspec.Struct, frozen=True):
    reason: str


class FailChange(msgspec.Struct, frozen=True):
    reason: str


ChangeAction = StartSuccessor | RecordSuccessor | Apply | TakeOver | StopSecond | FailChange


def next_step(job: Job | None, engine: EngineView | None, second: SecondView | None) -> ChangeAction | None:
    """None when the change, if there is one, has to wait for news, or nothing is to be done for it."""
    if job is not None and job.changes.takes_over and _is_its_engine(job, engine):
        return TakeOver()
    if second is not None:
        return None if second.leaving else _with_second(job, second)
    if job is None or job.changes.pending is None or job.desired is Desired.DELETED:
        return None
    if job.desired is not Desired.RUNNING:
        return FailChange("the job was stopped before the new version was ready")
    return StartSuccessor(job.next_attempt)


def holds_back(job: Job, second: SecondView | None) -> bool:
    """Whether no further engine of the job may be started, because it has, or is about to have, another one."""
    return second is not None or job.changes.pending is not None


def _is_its_engine(job: Job, engine: EngineView | None) -> bool:
    return engine is not None and engine.attempt == job.attempt and not engine.leaving


def _with_second(job: Job | None, second: SecondView) -> ChangeAction | None:
    if job is None:
        return StopSecond("its job is not in the log")
    if second.incarnation != job.incarnation:
        return StopSecond("it belongs to another job of this id")
    if job.desired is not Desired.RUNNING:
        return StopSecond(f"job {job.desired.value}")
    if second.attempt <= job.attempt:
        return StopSecond(f"attempt {job.attempt}, with version {job.revision}, took its place")
    pending = job.changes.pending
    if pending is None or not second.successor or second.attempt < job.changes.attempt:
        return StopSecond("the change that it was started for is over")
    if pending.attempt != second.attempt:
        return RecordSuccessor()
    return Apply() if second.ready else None
