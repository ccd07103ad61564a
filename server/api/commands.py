"""Creating and deleting jobs: append the command, then wait, for a bounded time, for what comes of it."""

import asyncio
from collections.abc import Callable
from time import perf_counter

import msgspec
from msgspec.structs import replace

from server.config import JobsSection
from server.failpoints import Failpoint, hit
from server.jobs.commands import ChangeJob, Command, Context, CreateJob, decide_in
from server.jobs.errors import NoSuchJob
from server.jobs.orders import DeleteJob, RestartJob, StartJob, StopJob, is_to_go, wants_engine
from server.jobs.state import Job
from server.jobs.words import Actual, Desired, Outcome
from server.store import Appended, Store
from server.store.follower import Follower
from server.tally import REQUEST_SECONDS, Tally


class Changed(msgspec.Struct, frozen=True):
    """`is_over`: nothing more will come of it. `error`: why nothing came of it at all."""

    job: Job
    is_over: bool = True
    error: str = ""


class Ordered(msgspec.Struct, frozen=True):
    """`is_over`: it is as was asked for, or will not be. `is_news`: it was not so before."""

    job: Job
    is_over: bool = True
    is_news: bool = True


class JobCommands:
    def __init__(self, store: Store, follower: Follower, limits: JobsSection) -> None:
        self._store = store
        self._follower = follower
        self._limits = limits
        self.times: dict[str, Tally] = {}
        """From each kind of command's arrival until it was on record or refused."""

    async def create(self, command: CreateJob, context: Context, *, wait: bool) -> Job:
        """The job, RUNNING or ended, or still on its way when `wait` is off or the time is up.

        Raises: JobExists, TooManyJobs, StoreUnavailable.
        """
        appended = await self._submit(replace(command, max_jobs=self._limits.max), context)
        created = appended.job
        assert created is not None
        if not wait:
            return created
        ended = await self._settled(created, _has_outcome, self._limits.create_wait)
        return ended or self._as_it_is(created) or created

    async def would_create(self, command: CreateJob, context: Context) -> None:
        """Whether `create` would put it on record now. Raises: JobExists, TooManyJobs, NotAllowed,
        StoreUnavailable."""
        if not self._follower.is_current():
            await self._follower.catch_up()
        jobs = self._follower.jobs
        job, limited = jobs.get(command.job_id), replace(command, max_jobs=self._limits.max)
        decide_in(context, self._follower.fence, job, limited, len(jobs))

    async def change(self, command: ChangeJob, context: Context, *, wait: bool) -> Changed:
        """What came of it, or the job on its way there when `wait` is off or the time is up.

        Raises: NoSuchJob, ChangeUnderWay, InvalidCommand, NotAllowed, StoreUnavailable.
        """
        appended = await self._submit(command, context)
        job = appended.job
        assert job is not None
        if not (appended.events or appended.resumed) or not _waits_for_engine(job):
            return Changed(job)
        if not wait:
            return Changed(job, is_over=False)
        revision = job.changes.newest
        ended = await self._settled(job, lambda now: _is_changed(now, revision), self._limits.create_wait)
        if ended is not None:
            return Changed(ended, error=_error_of(ended, revision))
        now = self._as_it_is(job)
        if now is None or now.desired is Desired.DELETED:
            raise NoSuchJob("it was deleted meanwhile")
        return Changed(now, is_over=False)

    async def order(self, order: StopJob | StartJob | RestartJob, context: Context, *, wait: bool) -> Ordered:
        """The job once it is as was asked for, or on its way there when `wait` is off or the time is up.

        Raises: NoSuchJob, StoreUnavailable.
        """
        appended = await self._submit(order, context)
        job = appended.job
        assert job is not None
        is_news = bool(appended.events or appended.resumed)
        stops = isinstance(order, StopJob)
        if not (is_news or _is_on_its_way(job, stops=stops)):
            return Ordered(job, is_news=False)
        if not wait:
            return Ordered(job, is_over=_is_as_ordered(job, stops=stops))
        limit = self._limits.delete_wait + (0.0 if stops else self._limits.create_wait)
        ended = await self._settled(job, lambda now: _is_as_ordered(now, stops=stops), limit)
        if ended is not None:
            return Ordered(ended)
        now = self._as_it_is(job)
        if now is None:
            raise NoSuchJob("it was deleted meanwhile")
        return Ordered(now, is_over=False)

    async def delete(self, command: DeleteJob, context: Context, *, wait: bool) -> Job | None:
        """None once the job and its engine are gone, or the job, still being deleted, when `wait` is off or
        the time is up.

        Raises: NoSuchJob, StoreUnavailable.
        """
        appended = await self._submit(command, context)
        job = appended.job
        assert job is not None
        if wait:
            await self._settled(job, _never, self._limits.delete_wait)
        return self._as_it_is(job)

    async def _submit(self, command: Command, context: Context) -> Appended:
        hit(Failpoint.API_BEFORE_SUBMIT)
        began = perf_counter()
        try:
            appended = await self._store.submit(command, context)
        finally:
            self._tally_of(command).note(perf_counter() - began)
        hit(Failpoint.API_SUBMITTED)
        if appended.resumed:  # the job is one of then
            await self._follower.catch_up()
        else:
            self._follower.note(appended)
        return appended

    def _tally_of(self, command: Command) -> Tally:
        kind = type(command).__name__
        tally = self.times.get(kind)
        if tally is None:
            tally = self.times[kind] = Tally(REQUEST_SECONDS)
        return tally

    def _as_it_is(self, job: Job) -> Job | None:
        """The job by now; None when it is gone, though there may be another one of its id."""
        now = self._follower.jobs.get(job.job_id)
        return now if now is not None and now.incarnation == job.incarnation else None

    async def _settled(self, job: Job, done: Callable[[Job], bool], timeout: float) -> Job | None:
        """The job once `done` holds of it; None when it is gone or the time is up."""
        try:
            async with asyncio.timeout(timeout):
                return await self._follower.wait_until(job.job_id, job.incarnation, done)
        except TimeoutError:
            return None


def _has_outcome(job: Job) -> bool:
    if not wants_engine(job):
        return True
    return job.actual is Actual.READY and not is_to_go(job, job.attempt)


def _is_as_ordered(job: Job, *, stops: bool) -> bool:
    if stops:
        return job.actual is Actual.NONE or job.desired is not Desired.STOPPED
    return _has_outcome(job)


def _is_on_its_way(job: Job, *, stops: bool) -> bool:
    """Whether what was asked for has been asked for before, and is not done yet."""
    if stops:
        return job.desired is Desired.STOPPED and job.actual is not Actual.NONE
    is_starting = job.actual in (Actual.NONE, Actual.STARTING) and job.retry_at is None
    return wants_engine(job) and (is_starting or is_to_go(job, job.attempt))


def _waits_for_engine(job: Job) -> bool:
    """Whether something will come of a change that was just made; else it has taken effect already."""
    is_new_start = job.actual is Actual.NONE and job.outcome is Outcome.OPEN and job.retry_at is None
    return job.changes.pending is not None or (is_new_start and job.desired is Desired.RUNNING)


def _error_of(job: Job, revision: int) -> str:
    failed = job.changes.failed
    if failed is not None and failed.revision == revision:
        return failed.message
    return job.error if job.outcome is Outcome.FAILED else ""


def _is_changed(job: Job, revision: int) -> bool:
    """Whether it is known what came of that version."""
    changes = job.changes
    if changes.newest != revision:
        return True
    if changes.pending is not None or changes.takes_over:
        return False
    return changes.failed is not None or _has_outcome(job)


def _never(_job: Job) -> bool:
    return False
