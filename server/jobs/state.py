"""A job's state, and the fold that makes it from events: the one definition of what the log means."""

from datetime import datetime

import msgspec

from server.jobs import events as e
from server.jobs.ids import Digest, JobId, Position
from server.jobs.options import NO_OPTIONS, InitialState, JobOptions
from server.jobs.orders import NO_ORDERS, Orders, fold_order, is_to_go
from server.jobs.versions import NO_CHANGES, Changes, fold_change, without_replaced
from server.jobs.words import Actual, Desired, JobStatus, Outcome, status_word

replace = msgspec.structs.replace


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One live job, as the events up to `position` left it. Times are UTC."""

    job_id: JobId
    incarnation: int  # 1 for the first job of this id, one more each time a deleted id is created again
    version: int  # of its last event; counts from 1 within an incarnation
    position: Position  # of its last event
    graph_digest: Digest
    origin: str  # "rest" or "file"
    file_digest: str
    created_at: datetime
    changed_at: datetime  # of its last event
    options: JobOptions = NO_OPTIONS
    desired: Desired = Desired.RUNNING
    actual: Actual = Actual.NONE
    outcome: Outcome = Outcome.OPEN
    error: str = ""  # why it failed; kept while the next attempt is awaited
    attempt: int = 0  # number of the newest engine, 0 before the first
    failures: int = 0  # in a row
    rounds: int = 0  # ends in a row, good or bad, that another attempt followed
    in_interval: int = 0  # failures since `interval_began`
    interval_began: datetime | None = None
    retry_at: datetime | None = None
    ready_at: datetime | None = None  # since when this attempt is ready
    ever_ready: bool = False
    last_exit: e.LastExit | None = None
    engine: e.EngineIdentity | None = None
    endpoints: tuple[str, ...] = ()
    stalled: e.Stall | None = None
    stalls: int = 0  # of this attempt
    revision: int = 1  # which version of graph and options this is
    changes: Changes = NO_CHANGES
    orders: Orders = NO_ORDERS
    generation: int = 1  # how many commands of clients this incarnation has had, its creation included
    left_out: int = 0  # changes since `position` that are not in the log; see crash_loop

    @property
    def place(self) -> tuple[Position, int]:
        """Grows with every change of this incarnation."""
        return self.position, self.left_out

    @property
    def next_attempt(self) -> int:
        """The number of the next engine, whichever version it has."""
        return max(self.attempt, self.changes.attempt, self.orders.renewed) + 1

    @property
    def status(self) -> JobStatus:
        return status_word(self.desired, self.actual, self.outcome)


def fold(job: Job | None, recorded: e.Recorded) -> Job | None:
    """The job after one more event; None before its creation and after its deletion."""
    event = recorded.event
    if isinstance(event, e.JobCreated):
        return _created(recorded, event)
    if job is None or isinstance(event, e.JobDeleted):
        return None
    seen = replace(
        job,
        version=recorded.version,
        position=recorded.position,
        left_out=0,
        changed_at=recorded.recorded_at,
        generation=job.generation + isinstance(event, e.COMMANDS_OF_CLIENTS),
    )
    if isinstance(event, e.ChangeEvent):
        return fold_change(seen, event, recorded.recorded_at)
    if isinstance(event, e.OrderEvent):
        return fold_order(seen, event)
    attempt = getattr(event, "attempt", None)
    if attempt is not None and attempt < job.attempt:
        return without_replaced(seen, attempt)  # a late word about an earlier attempt
    return _apply(seen, event, recorded.recorded_at)


_DESIRED_AT_FIRST = {
    None: Desired.RUNNING,
    InitialState.RUNNING: Desired.RUNNING,
    InitialState.STOPPED: Desired.STOPPED,
}


def _created(recorded: e.Recorded, event: e.JobCreated) -> Job:
    return Job(
        job_id=recorded.job_id,
        incarnation=recorded.incarnation,
        version=recorded.version,
        position=recorded.position,
        graph_digest=event.graph_digest,
        origin=event.origin,
        file_digest=event.file_digest,
        options=event.options,
        desired=_DESIRED_AT_FIRST[event.options.initial_state],
        created_at=recorded.recorded_at,
        changed_at=recorded.recorded_at,
    )


def _apply(job: Job, event: e.Event, at: datetime) -> Job:
    match event:
        case e.EngineStarted():
            orders = replace(job.orders, grace=None) if job.desired is Desired.RUNNING else job.orders
            return replace(
                job,
                actual=Actual.STARTING,
                attempt=event.attempt,
                engine=event.engine,
                retry_at=None,
                orders=orders,
            )
        case e.EngineReady():
            return replace(
                job,
                actual=Actual.READY,
                error="",
                ready_at=at,
                ever_ready=True,
                endpoints=event.endpoints,
                changes=replace(job.changes, takes_over=False) if job.changes.takes_over else job.changes,
            )
        case e.EngineAdopted():
            actual = Actual.READY if job.ready_at else Actual.STARTING
            return replace(job, actual=actual, attempt=event.attempt, engine=event.engine)
        case e.FlowStalled():
            nodes = tuple(replace(node, stacks=()) for node in event.nodes)
            return replace(job, stalled=e.Stall(since=event.since, nodes=nodes), stalls=event.number)
        case e.FlowRecovered():
            return replace(job, stalled=None, stalls=event.number)
        case e.EngineUnreachable():
            return replace(job, actual=Actual.UNREACHABLE)
        case e.EngineFailed() | e.EngineExited() if is_to_go(job, event.attempt):
            return replace(_without_engine(job), attempt=event.attempt, last_exit=_last_exit(event, at))
        case e.EngineFailed() | e.EngineExited():
            return replace(
                _without_engine(job),
                outcome=Outcome.OPEN if event.retry_at else Outcome.FAILED,
                error=event.error,
                failures=event.failures,
                rounds=event.rounds,
                in_interval=event.in_interval,
                interval_began=event.interval_began,
                retry_at=event.retry_at,
                attempt=event.attempt,
                last_exit=_last_exit(event, at),
            )
        case e.AttemptsSummedUp():
            return replace(
                _without_engine(job),
                error=event.error,
                failures=event.failures,
                rounds=event.rounds,
                in_interval=event.in_interval,
                interval_began=event.interval_began,
                retry_at=event.retry_at,
                attempt=event.attempt,
                ever_ready=event.ever_ready,
                last_exit=event.last_exit,
            )
        case e.EngineHealthy():
            return replace(job, failures=0, rounds=0, in_interval=0, interval_began=None)
        case e.EngineLost() | e.EngineStopped():
            last_exit = e.LastExit(attempt=event.attempt, at=at, message=event.reason)
            return replace(_without_engine(job), last_exit=last_exit)
        case e.FlowSucceeded() if is_to_go(job, event.attempt):
            last_exit = e.LastExit(attempt=event.attempt, at=at, code=0)
            return replace(_without_engine(job), last_exit=last_exit)
        case e.FlowSucceeded():
            return replace(
                _without_engine(job),
                outcome=Outcome.OPEN if event.retry_at else Outcome.SUCCEEDED,
                retry_at=event.retry_at,
                failures=0,
                in_interval=0,
                interval_began=None,
                rounds=event.rounds,
                last_exit=e.LastExit(attempt=event.attempt, at=at, code=0),
            )
        case _:
            return job


def _last_exit(event: e.EngineFailed | e.EngineExited, at: datetime) -> e.LastExit:
    if isinstance(event, e.EngineFailed):
        return e.LastExit(attempt=event.attempt, at=at, message=event.error)
    return e.LastExit(
        attempt=event.attempt,
        at=at,
        code=event.exit_code,
        signal=event.signal,
        out_of_memory=event.out_of_memory,
        message=event.error,
    )


def _without_engine(job: Job) -> Job:
    changes = replace(job.changes, takes_over=False) if job.changes.takes_over else job.changes
    return replace(
        job,
        actual=Actual.NONE,
        engine=None,
        ready_at=None,
        endpoints=(),
        stalled=None,
        stalls=0,
        changes=changes,
    )
