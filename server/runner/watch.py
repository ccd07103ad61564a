"""Follows one engine from its start to its end and writes down what it says."""

import asyncio
import random
from datetime import UTC, datetime

import structlog
from msgspec.structs import replace

from server.config import EngineSection
from server.engines.driver import EngineDriver, EngineHostGone, EngineNews, Exited, injected
from server.engines.protocol import Ended, Failed, Ready, Stalled
from server.failpoints import Failpoint, hit
from server.flow.status import StatusCode
from server.jobs import events as e
from server.jobs.orders import is_to_go, wants_engine
from server.jobs.restart import Retry, after_success, ends_stalls, next_restart, policy_of
from server.jobs.state import Job
from server.jobs.words import Desired
from server.runner.deaths import how_it_ended
from server.runner.engines import Engine
from server.runner.held import Held
from server.runner.recorder import Recorder
from server.runner.stalls import stalled_event
from server.runner.successor import Successors
from server.store import Store, StoreUnavailable
from server.store.follower import Follower

log = structlog.get_logger()

START_MARGIN_SECONDS = 5.0
"""The engine itself gives up after `start_timeout`; this long after, one that cannot even do that is ended."""


class Watch:
    def __init__(
        self,
        recorder: Recorder,
        follower: Follower,
        store: Store,
        driver: EngineDriver,
        settings: EngineSection,
        held: Held,
    ) -> None:
        self._held = held
        self._successors = Successors(recorder, follower)
        self._recorder = recorder
        self._follower = follower
        self._store = store
        self._driver = driver
        self._settings = settings

    async def until_up(self, engine: Engine) -> None:
        """Until the engine is ready, or said that it will not be, or is gone.

        Only one that we have just started is ended for its silence: an adopted one may be ready and stuck.
        """
        limit = self._settings.start_timeout + START_MARGIN_SECONDS if engine.holds_slot else None
        try:
            async with asyncio.timeout(limit):
                news = await engine.handle.news()
        except TimeoutError:
            reason = f"the engine was not ready after {limit:g} s and answers no more"
            await self._take(engine, Failed(message=reason, code=StatusCode.TIMEDOUT))
            await engine.handle.kill()
            return
        await self._take(engine, news)

    async def until_gone(self, engine: Engine) -> None:
        while not engine.exited:
            await self._take(engine, await engine.handle.news())

    async def _take(self, engine: Engine, news: EngineNews) -> None:
        hit(Failpoint.RUNNER_TOOK_NEWS)
        if self._is_successor(engine):
            await self._take_of_successor(engine, news)
            return
        match news:
            case Ready():
                await self._ready(engine, news)
            case Stalled():
                await self._stalled(engine, news)
            case Failed(message=message):
                await self._failed(engine, engine.stalled or message)
            case Ended(code=StatusCode.SUCCESS):
                await self._succeeded(engine)
            case Ended(message=message, is_final=is_final):
                await self._failed(engine, engine.stalled or message, is_final=is_final)
            case Exited():
                await self._exited(engine, news)

    def _is_successor(self, engine: Engine) -> bool:
        """Whether it is one now, or was started as one and will be none any more."""
        job = self._job(engine)
        return engine.is_successor and (job is None or job.attempt < engine.attempt)

    async def _take_of_successor(self, engine: Engine, news: EngineNews) -> None:
        await self._successors.take(engine, news)
        if isinstance(news, Ready):
            await self._keep_plan(engine, news)
        if isinstance(news, Exited):
            await engine.handle.forget()

    def _is_replaced(self, engine: Engine, job: Job) -> bool:
        """Whether another engine has taken over from it."""
        return engine.attempt < job.attempt

    async def _ready(self, engine: Engine, news: Ready) -> None:
        job = self._job(engine)
        if job is None or not job.changes.takes_over:  # one that takes over is ready when it has
            await self._record(engine, e.EngineReady(attempt=engine.attempt, endpoints=news.endpoints))
        # afterwards: a client waits for the event, nobody for the plan
        await self._keep_plan(engine, news)

    async def _keep_plan(self, engine: Engine, news: Ready) -> None:
        """With the graph that it was made of, which an adopted engine does not tell: the job may have another one
        by now."""
        digest, plan = engine.graph, news.plan
        if digest is None or plan is None or plan == engine.plan:
            return
        try:
            await self._store.keep_plan(digest, plan)
        except StoreUnavailable as error:
            # only costs the next start a compilation
            log.warning("plan not kept", graph=digest, reason=str(error))

    async def _stalled(self, engine: Engine, news: Stalled) -> None:
        job = self._job(engine)
        if job is None or engine.stopping or self._is_replaced(engine, job):
            return
        if not news.stalls:
            if job.stalled is not None:
                await self._record(engine, e.FlowRecovered(attempt=engine.attempt, number=job.stalls))
            return
        stalled = stalled_event(engine.attempt, job.stalls + 1, news.stalls, datetime.now(UTC))
        await self._record(engine, stalled)
        if ends_stalls(policy_of(job, self._settings.restart_policy)):
            log.warning("the flow stalls, ending its engine", job_id=engine.job_id, reason=stalled.reason)
            engine.stalled = f"Stalled, {stalled.reason}"
            # kindly, for requests that do not hang; what comes of it comes as news
            await engine.handle.stop(self._settings.stop_grace)

    async def _failed(self, engine: Engine, message: str, *, is_final: bool = False) -> None:
        engine.said_last = True
        job = self._job(engine)
        if job is None or engine.stopping or self._is_replaced(engine, job):
            return
        retry = self._next_restart(job, flow_at_fault=True)
        if is_final and job.options.restart is None:
            # STOP, SHUTDOWN and faults are what the flow's units decided (spec 4.10); who wants more says so
            retry = replace(retry, at=None)
        if retry.at is None:
            # before anybody hears of the failure, and tries the next graph on the same port
            await self._release(engine)
        failed = e.EngineFailed(
            attempt=engine.attempt,
            error=message,
            failures=retry.failures,
            rounds=retry.rounds,
            in_interval=retry.in_interval,
            interval_began=retry.interval_began,
            retry_at=retry.at,
        )
        await self._record(engine, failed)

    async def _succeeded(self, engine: Engine) -> None:
        engine.said_last = True
        job = self._job(engine)
        if job is None or engine.stopping or self._is_replaced(engine, job):
            return
        again = after_success(policy_of(job, self._settings.restart_policy), job, datetime.now(UTC))
        if again.at is None:
            await self._release(engine)
        succeeded = e.FlowSucceeded(attempt=engine.attempt, rounds=again.rounds, retry_at=again.at)
        await self._record(engine, succeeded)

    def _next_restart(self, job: Job, *, flow_at_fault: bool) -> Retry:
        policy = policy_of(job, self._settings.restart_policy)
        chance = random.random()  # noqa: S311 - spreads restarts, keeps no secret
        return next_restart(policy, job, datetime.now(UTC), flow_at_fault=flow_at_fault, chance=chance)

    async def _exited(self, engine: Engine, news: Exited) -> None:
        engine.exited = True
        events = self._exit_events(engine, news)
        job = self._job(engine)
        if job is None or not wants_engine(job) or any(_ends_job(event) for event in events):
            await self._release(engine)
        if events:
            await self._record(engine, *events)
        hit(Failpoint.RUNNER_BEFORE_FORGET)
        await engine.handle.forget()

    def _exit_events(self, engine: Engine, news: Exited) -> tuple[e.Event, ...]:
        """What the engine's end means for its job; nothing when the job is gone or the end is on record."""
        job = self._job(engine)
        if job is None:
            return ()
        if self._is_replaced(engine, job):
            return (e.EngineStopped(attempt=engine.attempt, reason=engine.stopping or how_it_ended(news)),)
        if job.desired is Desired.DELETED:
            stopped = e.EngineStopped(attempt=engine.attempt, reason=engine.stopping or "job deleted")
            return (stopped,) if self._held.has_other(engine) else (stopped, e.JobDeleted())
        if engine.stopping:
            return (e.EngineStopped(attempt=engine.attempt, reason=engine.stopping),)
        return () if engine.said_last else (self._exit_event(engine, job, news),)

    async def _release(self, engine: Engine) -> None:
        """Frees the job's ports, unless another engine needs them. A host that does not answer frees them by its
        end."""
        job = self._job(engine)
        if job is not None and job.desired is Desired.RUNNING:
            is_needed = job.changes.pending is not None or is_to_go(job, engine.attempt)
        else:
            is_needed = False
        if is_needed or self._held.has_other(engine):
            return
        try:
            hit(Failpoint.RUNNER_BEFORE_RELEASE, injected)
            await self._driver.release(engine.job_id)
            hit(Failpoint.RUNNER_RELEASED)
        except EngineHostGone as error:
            log.warning("endpoints not released", job_id=engine.job_id, reason=str(error))

    def _exit_event(self, engine: Engine, job: Job, news: Exited) -> e.Event:
        retry = self._next_restart(job, flow_at_fault=False)
        return e.EngineExited(
            attempt=engine.attempt,
            exit_code=news.exit_code,
            signal=news.signal,
            out_of_memory=news.out_of_memory,
            error=engine.stalled or how_it_ended(news),
            failures=retry.failures,
            rounds=retry.rounds,
            in_interval=retry.in_interval,
            interval_began=retry.interval_began,
            retry_at=retry.at,
        )

    def _job(self, engine: Engine) -> Job | None:
        job = self._follower.jobs.get(engine.job_id)
        return job if job is not None and job.incarnation == engine.incarnation else None

    async def _record(self, engine: Engine, *events: e.Event) -> None:
        await self._recorder.record(engine.job_id, engine.incarnation, *events)


def _ends_job(event: e.Event) -> bool:
    """Whether no engine will follow, so that nobody may wait for the job's ports."""
    return isinstance(event, e.JobDeleted) or (isinstance(event, e.EngineExited) and event.retry_at is None)
