"""What may be asked of a job, and what comes of it: `decide` turns a command into events, or refuses it."""

import msgspec

from server.jobs import events as e
from server.jobs.access import EVERYTHING, Labels, covers, scope_text
from server.jobs.change import ChangeJob as ChangeJob
from server.jobs.change import decide_change
from server.jobs.condition import NO_CONDITION, Condition, check_condition
from server.jobs.errors import JobExists, NoSuchJob, NotAllowed, Place, TooManyJobs
from server.jobs.graph import Graph as Graph
from server.jobs.ids import Epoch, JobId
from server.jobs.once import Once
from server.jobs.options import NO_OPTIONS, JobOptions
from server.jobs.orders import DeleteJob as DeleteJob
from server.jobs.orders import Order, decide_order
from server.jobs.orders import RestartJob as RestartJob
from server.jobs.orders import StartJob as StartJob
from server.jobs.orders import StopJob as StopJob
from server.jobs.state import Job
from server.jobs.versions import is_change_news
from server.jobs.words import Actual, Desired, Outcome


class CreateJob(msgspec.Struct, frozen=True, kw_only=True):
    """`max_jobs`: refused when there are as many live jobs already; 0 for no limit."""

    job_id: JobId
    graph: Graph
    origin: str = "rest"
    file_digest: str = ""
    options: JobOptions = NO_OPTIONS
    max_jobs: int = 0


class Observe(msgspec.Struct, frozen=True, kw_only=True):
    """The runner's word on what happened to one incarnation of a job."""

    job_id: JobId
    incarnation: int
    event: e.Event


Command = CreateJob | ChangeJob | Order | Observe


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, and in which request. Jobs without the labels in `scope` do not exist for them. With `once`, what
    was carried out for it already is not carried out again."""

    actor: str
    request_id: str = ""
    idempotency_key: str | None = None
    scope: Labels = EVERYTHING
    condition: Condition = NO_CONDITION
    once: Once | None = None


def decide_in(
    context: Context, fence: Epoch, job: Job | None, command: Command, live_jobs: int = 0
) -> tuple[e.Event, ...]:
    """As `decide_for`, if the context's condition holds. `fence`: that of the log.

    Raises: as `decide_for`; ConditionFailed.
    """
    is_there = job is not None and covers(context.scope, job.options.labels)
    if context.condition is not NO_CONDITION and (is_there or isinstance(command, CreateJob)):
        check_condition(job, context.condition, fence)
    return decide_for(context.scope, job, command, live_jobs)


def decide_for(scope: Labels, job: Job | None, command: Command, live_jobs: int = 0) -> tuple[e.Event, ...]:
    """As `decide`, for who sees only jobs with the labels in `scope`, and may leave none without them.

    Raises: as `decide`; NoSuchJob, for a job that is out of scope, NotAllowed, for one that would be.
    """
    if not scope:
        return decide(job, command, live_jobs)
    if job is not None and not isinstance(command, CreateJob) and not covers(scope, job.options.labels):
        raise NoSuchJob
    events = decide(job, command, live_jobs)
    for event in events:
        options = getattr(event, "options", None)
        if isinstance(options, JobOptions) and not covers(scope, options.labels):
            raise NotAllowed(
                f"the token is for jobs with the labels {scope_text(scope)} only",
                Place(field="options.labels"),
            )
    return events


def decide(job: Job | None, command: Command, live_jobs: int = 0) -> tuple[e.Event, ...]:
    """The events that `command` causes; none when it changes nothing any more. `live_jobs`: how many there are.

    Raises: JobExists, NoSuchJob, TooManyJobs.
    """
    match command:
        case CreateJob():
            if job is not None:
                raise JobExists
            if command.max_jobs and live_jobs >= command.max_jobs:
                raise TooManyJobs(f"there are {live_jobs} of at most {command.max_jobs}; delete one first")
            return (
                e.JobCreated(
                    graph_digest=command.graph.digest,
                    origin=command.origin,
                    file_digest=command.file_digest,
                    options=command.options,
                ),
            )
        case ChangeJob():
            return decide_change(job, command)
        case StopJob() | StartJob() | RestartJob() | DeleteJob():
            return decide_order(job, command)
        case Observe():
            return (command.event,) if _still_news(job, command) else ()


def _still_news(job: Job | None, observed: Observe) -> bool:
    """Whether the observation is about the job as it is now, and not about one that is gone or has moved on."""
    if job is None or job.incarnation != observed.incarnation:
        return False
    if isinstance(observed.event, e.ChangeEvent):
        return is_change_news(job, observed.event)
    match observed.event:
        case e.JobDeleted():
            return job.desired is Desired.DELETED
        case e.EngineStarted(attempt=n):
            return n > job.attempt and job.actual is Actual.NONE and job.outcome is Outcome.OPEN
        case e.EngineAdopted(attempt=n):
            return n >= job.attempt and job.outcome is Outcome.OPEN
        case e.EngineReady(attempt=n):
            is_unexpected = job.actual not in (Actual.STARTING, Actual.UNREACHABLE)
            return n == job.attempt and (not is_unexpected or job.changes.takes_over)
        case e.EngineUnreachable(attempt=n):
            return n == job.attempt and job.actual in (Actual.STARTING, Actual.READY)
        case e.EngineFailed(attempt=n):
            return n > job.attempt or (n == job.attempt and job.actual is not Actual.NONE)
        case e.EngineStopped(attempt=n) if n == job.changes.replaced:
            return True
        case e.EngineExited(attempt=n) | e.EngineLost(attempt=n) | e.EngineStopped(attempt=n):
            return n == job.attempt and job.actual is not Actual.NONE
        case e.EngineHealthy(attempt=n):
            return n == job.attempt and job.actual is Actual.READY and bool(job.rounds or job.failures)
        case e.FlowStalled(attempt=n):
            return n == job.attempt and job.actual is not Actual.NONE and job.stalled is None
        case e.FlowRecovered(attempt=n):
            return n == job.attempt and job.stalled is not None
        case e.FlowSucceeded(attempt=n):
            return n == job.attempt and job.actual is not Actual.NONE
        case _:
            return False
