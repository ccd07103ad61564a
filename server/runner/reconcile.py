"""What to do next for one job: a pure function of what the log says and what is known of its engine.

Boot, adoption, a new leader, a crash and a command all end here; there is no second way to start a job.
"""

import msgspec

from server.jobs.orders import is_to_go
from server.jobs.state import Job
from server.jobs.words import Actual, Desired, Outcome


class EngineView(msgspec.Struct, frozen=True):
    """What the runner knows of a live engine. `leaving`: it was told to stop, or has said its last word. `grace`:
    the seconds that it was given to stop, None when it was not told to."""

    incarnation: int
    attempt: int
    leaving: bool = False
    grace: float | None = None


class Nothing(msgspec.Struct, frozen=True):
    """The world agrees, or news that is on its way will change it."""


class StartEngine(msgspec.Struct, frozen=True):
    attempt: int


class StopEngine(msgspec.Struct, frozen=True):
    reason: str


class RecordLoss(msgspec.Struct, frozen=True):
    """The log knows an engine that does not exist."""


class RecordStart(msgspec.Struct, frozen=True):
    """An engine of this job exists that the log does not know: its leader died between the two."""


class RecordHealthy(msgspec.Struct, frozen=True):
    """Its engine has run well for long enough."""


class ReleasePorts(msgspec.Struct, frozen=True):
    """It is stopped: others may have its ports."""


class RemoveJob(msgspec.Struct, frozen=True):
    """Its engine is gone, and it was to be deleted."""


class Wait(msgspec.Struct, frozen=True):
    seconds: float


Action = (
    Nothing | StartEngine | StopEngine | RecordLoss | RecordStart | RecordHealthy | ReleasePorts | RemoveJob | Wait
)


def reconcile(
    job: Job | None, engine: EngineView | None, retry_in: float, healthy_in: float | None = None
) -> Action:
    """The next step for a job. `retry_in`: seconds until its next attempt may start, 0 when it may now.
    `healthy_in`: seconds until its engine has run well for long enough, None when that is no matter."""
    if engine is not None:
        return _with_leaving(job, engine) if engine.leaving else _with_engine(job, engine, healthy_in)
    if job is None:
        return Nothing()
    return _without_engine(job, retry_in)


def _with_leaving(job: Job | None, engine: EngineView) -> Action:
    if job is None or engine.incarnation != job.incarnation or engine.grace is None:
        return Nothing()
    grace = job.orders.grace
    is_sooner = grace is not None and grace < engine.grace and is_to_go(job, engine.attempt)
    return StopEngine("its end is wanted sooner") if is_sooner else Nothing()


def _with_engine(job: Job | None, engine: EngineView, healthy_in: float | None) -> Action:
    if job is None:
        return StopEngine("its job is not in the log")
    if engine.incarnation != job.incarnation:
        return StopEngine("it belongs to another job of this id")
    if job.desired is Desired.DELETED:
        return StopEngine("job deleted")
    if job.outcome is not Outcome.OPEN:
        return StopEngine(f"job has {job.outcome.value}")
    if engine.attempt < job.attempt:
        return StopEngine("a newer attempt took its place")
    if job.actual is Actual.NONE:
        return RecordStart() if engine.attempt > job.attempt else StopEngine("its end is on record")
    if is_to_go(job, engine.attempt):
        return StopEngine("job stopped" if job.desired is Desired.STOPPED else "another engine is wanted")
    if healthy_in is None:
        return Nothing()
    return Wait(healthy_in) if healthy_in > 0 else RecordHealthy()


def _without_engine(job: Job, retry_in: float) -> Action:
    if job.desired is Desired.DELETED:
        return RemoveJob()
    if job.outcome is not Outcome.OPEN:
        return Nothing()
    if job.actual is not Actual.NONE:
        return RecordLoss()
    if job.desired is Desired.STOPPED:
        return ReleasePorts()
    return Wait(retry_in) if retry_in > 0 else StartEngine(job.next_attempt)
