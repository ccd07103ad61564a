"""Stopping, starting and restarting a job: what is asked for, when that changes something, and the fold of it.

A job that is stopped keeps its engine until that has ended; one that is to be restarted loses each engine up to
the attempt that it had then. Both are in the log, so whoever leads next goes on with it.
"""

from typing import TYPE_CHECKING, Annotated

import msgspec

from server.jobs import events as e
from server.jobs.errors import NoSuchJob
from server.jobs.ids import JobId
from server.jobs.words import Actual, Desired, Outcome

if TYPE_CHECKING:
    from server.jobs.state import Job

replace = msgspec.structs.replace

Grace = Annotated[float, msgspec.Meta(ge=0, le=86_400)]
"""Seconds that an engine has to finish what it has begun; 0: it is killed at once."""


class StopJob(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing happens to a job that has ended. `grace`: None for the configuration's."""

    job_id: JobId
    grace: float | None = None


class StartJob(msgspec.Struct, frozen=True, kw_only=True):
    """Of a job that was stopped, has ended, or waits for its next attempt."""

    job_id: JobId


class RestartJob(msgspec.Struct, frozen=True, kw_only=True):
    """Of any job; with `only_failed`, nothing happens to one that is not FAILED."""

    job_id: JobId
    only_failed: bool = False
    grace: float | None = None


class DeleteJob(msgspec.Struct, frozen=True, kw_only=True):
    job_id: JobId
    grace: float | None = None


Order = StopJob | StartJob | RestartJob | DeleteJob


class Orders(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Engines up to attempt `renewed`, which may never come to be, are to go. `grace`: what the one that is to go
    was given, None for the configuration's."""

    renewed: int = 0
    grace: float | None = None


NO_ORDERS = Orders()


def decide_order(job: "Job | None", order: Order) -> tuple[e.Event, ...]:
    """The events; none when it is so already, or on its way. Raises: NoSuchJob."""
    if job is None:
        raise NoSuchJob
    if isinstance(order, DeleteJob):
        is_news = job.desired is not Desired.DELETED or _is_sooner(order.grace, job.orders.grace)
        return (e.DeleteRequested(grace=order.grace),) if is_news else ()
    if job.desired is Desired.DELETED:
        raise NoSuchJob("it is being deleted")
    match order:
        case StopJob(grace=grace):
            return (e.StopRequested(grace=grace),) if _stops(job, grace) else ()
        case StartJob():
            return (e.StartRequested(),) if not wants_engine(job) or job.retry_at is not None else ()
        case RestartJob(grace=grace):
            return (e.RestartRequested(grace=grace),) if _restarts(job, order) else ()


def _stops(job: "Job", grace: float | None) -> bool:
    if job.outcome is not Outcome.OPEN:
        return False
    return job.desired is not Desired.STOPPED or _is_sooner(grace, job.orders.grace)


def _restarts(job: "Job", order: RestartJob) -> bool:
    if order.only_failed and job.outcome is not Outcome.FAILED:
        return False
    if not wants_engine(job) or job.retry_at is not None:
        return True
    if job.actual is Actual.NONE:
        return False  # it is about to be started
    return not is_to_go(job, job.attempt) or _is_sooner(order.grace, job.orders.grace)


def _is_sooner(grace: float | None, given: float | None) -> bool:
    """Whether an engine that has been told to go hears something new."""
    return grace is not None and (given is None or grace < given)


def is_to_go(job: "Job", attempt: int) -> bool:
    """Whether an end of that attempt's engine is what was asked for, whichever way it came."""
    return job.desired is not Desired.RUNNING or attempt <= job.orders.renewed


def wants_engine(job: "Job") -> bool:
    """Whether it is to have an engine, now or after a wait; else none will follow the one that there may be."""
    return job.desired is Desired.RUNNING and job.outcome is Outcome.OPEN


def fold_order(job: "Job", event: e.OrderEvent) -> "Job":
    match event:
        case e.DeleteRequested(grace=grace):
            return replace(job, desired=Desired.DELETED, orders=replace(job.orders, grace=grace))
        case e.StopRequested(grace=grace):
            orders = replace(without_one_being_started(job), grace=grace)
            return replace(job, desired=Desired.STOPPED, retry_at=None, orders=orders)
        case e.StartRequested():
            return _anew(job, job.orders.grace)
        case e.RestartRequested(grace=grace):
            return _anew(job, grace)


def _anew(job: "Job", grace: float | None) -> "Job":
    renewed = max(job.attempt, without_one_being_started(job).renewed)
    return replace(without_past(job), desired=Desired.RUNNING, orders=Orders(renewed=renewed, grace=grace))


def without_past(job: "Job") -> "Job":
    """The job, to which it is nothing any more what came of earlier attempts."""
    return replace(
        job,
        outcome=Outcome.OPEN,
        error="",
        failures=0,
        rounds=0,
        in_interval=0,
        interval_began=None,
        retry_at=None,
    )


def without_one_being_started(job: "Job") -> Orders:
    """Has an engine go that a runner may be starting at this moment, unknown to the log: it is given what the job
    was before."""
    if job.actual is not Actual.NONE or not wants_engine(job) or job.changes.pending is not None:
        return job.orders
    return replace(job.orders, renewed=job.next_attempt)
