"""Keeps one engine for each job that should run, and none for any other.

Each job has at most one task at work on it, so that steps of one job never overlap while jobs do not wait for
each other. A task asks `reconcile` for the next step, does it, and asks again until nothing is to be done.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime

import structlog
from msgspec.structs import replace

from server.config import Config
from server.engines.driver import EngineDriver, EngineHandle, EngineHostGone, EngineRefused, injected
from server.engines.logs.files import LogLimits
from server.engines.protocol import EngineSpec, EngineState
from server.failpoints import Failpoint, hit
from server.flow.limits import FlowLimits
from server.jobs import events as e
from server.jobs.commands import Observe
from server.jobs.ids import Epoch, JobId
from server.jobs.restart import healthy_after, healthy_at, policy_of, stall_after_of
from server.jobs.state import Job
from server.jobs.words import Actual, Outcome
from server.runner import reconcile as r
from server.runner.engines import Engine
from server.runner.pings import Pinger
from server.runner.recorder import Recorder
from server.runner.watch import Watch
from server.store import Store, StoreUnavailable
from server.store.follower import Follower

log = structlog.get_logger()

OF_NO_JOB = 0
"""The incarnation of an engine that belongs to no job of this log, whatever it says itself."""
HOST_LOOK_SECONDS = 1.0
"""How long an engine host can be gone before it is replaced without being needed."""
HOST_RETRY_SECONDS = 1.0
"""Pause before an engine is asked for again when no host could be had."""
SLOT_SECONDS = 2.0
"""How long an engine counts among those that are starting. One whose units take longer to open mostly waits, and a
few that hang would keep all others from starting."""


class Keeper:
    def __init__(
        self, store: Store, follower: Follower, driver: EngineDriver, epoch: Epoch, config: Config
    ) -> None:
        self._store = store
        self._follower = follower
        self._driver = driver
        self._epoch = epoch
        self._config = config
        self._recorder = Recorder(store, follower, epoch)
        self._engines: dict[JobId, Engine] = {}
        self._at_work: set[JobId] = set()
        self._again: set[JobId] = set()
        self._due: dict[JobId, tuple[datetime, float]] = {}
        self._timers: dict[JobId, asyncio.TimerHandle] = {}
        self._slots = config.engine.max_starting
        self._queue: deque[JobId] = deque()
        self._closing = ""
        self._none_left = asyncio.Event()
        self._tasks: asyncio.TaskGroup | None = None

    @property
    def engines(self) -> Mapping[JobId, Engine]:
        return self._engines

    @property
    def waiting(self) -> int:
        """How many jobs wait for others to have started."""
        return len(self._queue)

    @property
    def recorded(self) -> Mapping[str, int]:
        """How many events of each type this runner has recorded."""
        return self._recorder.counts

    async def run(self, settled: asyncio.Event) -> None:
        """Adopts what lives, then keeps to the log until cancelled. Sets `settled` when what the log says of
        each engine is true. Raises: StaleEpoch (in a group), when another runner leads."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            await self._adopt_all()
            hit(Failpoint.RUNNER_ADOPTED)
            await self._record_losses()
            hit(Failpoint.RUNNER_SETTLED)
            settled.set()
            self._follower.subscribe(self._wake_all)
            tasks.create_task(self._keep_driver_ready(), name="driver")
            self._wake_all(set(self._follower.jobs) | set(self._engines))
            pinger = Pinger(self._recorder, self._follower, self._engines, self._config.engine)
            tasks.create_task(pinger.run(), name="pings")
            await self._follower.follow()

    async def _keep_driver_ready(self) -> None:
        """Spares the first job the start of an engine host, and replaces one that died: an engine in the middle of
        its start may be waiting for it, with nobody else about to start anything."""
        finished = [job.job_id for job in self._follower.jobs.values() if job.outcome is not Outcome.OPEN]
        while not self._closing:
            try:
                await self._driver.prepare()
                while finished:
                    # its leader may have died before it freed the job's ports
                    if finished[-1] not in self._engines:
                        await self._driver.release(finished[-1])
                    finished.pop()
            except EngineHostGone as error:
                log.warning("no engine host yet", reason=str(error))
            await asyncio.sleep(HOST_LOOK_SECONDS)

    async def stop_engines(self, reason: str) -> None:
        """Stops every engine and starts none any more; the jobs stay wanted. Bounded by the grace period."""
        self._closing = reason
        self._none_left.clear()
        self._check_none_left()
        engines = list(self._engines.values())
        await asyncio.gather(*(self._stop(engine, reason) for engine in engines))
        await self._none_left.wait()
        await self._driver.shutdown()

    def _wake_all(self, changed: set[JobId]) -> None:
        for job_id in changed:
            self.wake(job_id)

    def wake(self, job_id: JobId) -> None:
        """Something about this job may be different: look at it, now or after the step that is under way."""
        if job_id in self._at_work:
            self._again.add(job_id)
            return
        assert self._tasks is not None
        self._at_work.add(job_id)
        self._tasks.create_task(self._settle(job_id), name=f"settle {job_id}")

    async def _settle(self, job_id: JobId) -> None:
        try:
            while await self._step(job_id) or job_id in self._again:
                self._again.discard(job_id)
        finally:
            self._at_work.discard(job_id)
        if job_id in self._again:
            self._again.discard(job_id)
            self.wake(job_id)

    async def _step(self, job_id: JobId) -> bool:
        """Does the next step for a job; False when there is none to do now."""
        job, engine = self._follower.jobs.get(job_id), self._engines.get(job_id)
        if job is None:
            self._due.pop(job_id, None)
        view = engine.view if engine else None
        action = r.reconcile(
            job, view, self._retry_in(job) if job else 0.0, self._healthy_in(job) if job else None
        )
        match action:
            case r.StartEngine(attempt) if job is not None:
                return await self._start(job, attempt)
            case r.StopEngine(reason) if engine is not None:
                await self._stop(engine, reason)
            case r.RecordLoss() if job is not None:
                await self._recorder.record(job_id, job.incarnation, self._loss(job))
            case r.RecordStart() if job is not None and engine is not None:
                await self._record_adoption(job, engine)
            case r.RecordHealthy() if job is not None:
                await self._recorder.record(job_id, job.incarnation, e.EngineHealthy(attempt=job.attempt))
            case r.RemoveJob() if job is not None:
                with suppress(EngineHostGone):  # a host that is gone holds no listener
                    await self._driver.release(job_id)
                await self._recorder.record(job_id, job.incarnation, e.JobDeleted())
            case r.Wait(seconds):
                self._wake_in(seconds, job_id)
                return False
            case _:
                return False
        return True

    def _wake_in(self, seconds: float, job_id: JobId) -> None:
        """In place of an earlier one: a job in a crash loop would gather them."""
        if job_id in self._timers:
            self._timers[job_id].cancel()
        self._timers[job_id] = asyncio.get_running_loop().call_later(seconds, self._wake_now, job_id)

    def _wake_now(self, job_id: JobId) -> None:
        del self._timers[job_id]
        self.wake(job_id)

    def _retry_in(self, job: Job) -> float:
        """Seconds until the next attempt is due."""
        policy = policy_of(job, self._config.engine.restart_policy)
        return self._until(job, job.retry_at, max(policy.delay, policy.delay_max)) or 0.0

    def _healthy_in(self, job: Job) -> float | None:
        engine = self._config.engine
        policy, stall_after = policy_of(job, engine.restart_policy), stall_after_of(job, engine.stall_after)
        most = healthy_after(policy, stall_after)
        return self._until(job, healthy_at(policy, job, stall_after), most)

    def _until(self, job: Job, moment: datetime | None, most: float) -> float | None:
        """Seconds until that moment, by the monotonic clock from when we learned of it, and at most as many as it
        could have been away then: the wall clock may jump."""
        if moment is None:
            return None
        now = asyncio.get_running_loop().time()
        known = self._due.get(job.job_id)
        if known is None or known[0] != moment:
            away = (moment - datetime.now(UTC)).total_seconds()
            known = self._due[job.job_id] = (moment, now + min(max(away, 0.0), most))
        return max(known[1] - now, 0.0)

    async def _start(self, job: Job, attempt: int) -> bool:
        if self._closing:
            return False
        if self._slots == 0:
            # a job that somebody just asked for goes before those that a boot brings back
            (self._queue.appendleft if job.attempt == 0 else self._queue.append)(job.job_id)
            return False
        self._slots -= 1
        try:
            spec = await self._spec(job, attempt)
            hit(Failpoint.RUNNER_BEFORE_START, injected)
            handle = await self._driver.start(spec)
        except EngineRefused as error:
            self._free_slot()
            await self._refused(job, attempt, error)
            return False
        except (EngineHostGone, OSError, StoreUnavailable) as error:
            self._free_slot()
            log.error("no engine could be started, trying again", job_id=job.job_id, reason=str(error))
            asyncio.get_running_loop().call_later(HOST_RETRY_SECONDS, self.wake, job.job_id)
            return False
        engine = self._hold(job.job_id, handle, holds_slot=True)
        engine.plan = spec.plan
        hit(Failpoint.RUNNER_ENGINE_STARTED)
        started = e.EngineStarted(attempt=attempt, engine=handle.identity)
        await self._recorder.record(job.job_id, job.incarnation, started)
        self._watch(engine)
        return True

    async def _spec(self, job: Job, attempt: int) -> EngineSpec:
        graph = await self._store.graph(job.graph_digest)
        assert graph is not None  # appended in the transaction that created the job
        return EngineSpec(
            job_id=job.job_id,
            incarnation=job.incarnation,
            attempt=attempt,
            epoch=self._epoch,
            graph_format=graph.format,
            source=graph.source,
            plan=graph.plan,
            flow_limits=self._flow_limits(job),
            start_timeout=self._config.engine.start_timeout,
            stop_grace=self._config.engine.stop_grace,
            limits=job.options.limits or self._config.engine.limits,
            log_limits=LogLimits(file_bytes=self._config.log.file_bytes, files=self._config.log.files),
        )

    def _flow_limits(self, job: Job) -> FlowLimits:
        stall_after = stall_after_of(job, self._config.engine.stall_after)
        return replace(self._config.flow.limits, stall_seconds=stall_after)

    async def _refused(self, job: Job, attempt: int, refused: EngineRefused) -> None:
        """Most likely an engine of this job runs that we do not hold: adopt it, `reconcile` decides what it is."""
        log.warning("engine refused", job_id=job.job_id, attempt=attempt, reason=str(refused))
        handle = await self._driver.adopt(job.job_id, self._epoch, job.engine)
        if handle is None:
            asyncio.get_running_loop().call_later(HOST_RETRY_SECONDS, self.wake, job.job_id)
            return
        self._watch(self._hold(job.job_id, handle))

    def _hold(self, job_id: JobId, handle: EngineHandle, *, holds_slot: bool = False) -> Engine:
        head = handle.hello.head
        engine = Engine(
            job_id=job_id,
            incarnation=OF_NO_JOB if self._is_of_lost_history(job_id, handle) else head.incarnation,
            attempt=head.attempt,
            handle=handle,
            holds_slot=holds_slot,
        )
        self._engines[job_id] = engine
        return engine

    def _is_of_lost_history(self, job_id: JobId, handle: EngineHandle) -> bool:
        """Whether it was started in a part of the log that was given up, for a job that may have been another one
        under this id: such an engine is only kept when the log knows it."""
        if handle.hello.head.epoch >= self._follower.fence:
            return False
        job = self._follower.jobs.get(job_id)
        return job is None or job.engine != handle.identity

    def _watch(self, engine: Engine) -> None:
        assert self._tasks is not None
        watch = Watch(self._recorder, self._follower, self._store, self._driver, self._config.engine)
        self._tasks.create_task(self._watch_to_end(watch, engine), name=f"watch {engine.job_id}")

    async def _watch_to_end(self, watch: Watch, engine: Engine) -> None:
        patience = asyncio.get_running_loop().call_later(SLOT_SECONDS, self._give_slot_back, engine)
        await watch.until_up(engine)
        patience.cancel()
        self._give_slot_back(engine)
        await watch.until_gone(engine)
        if self._engines.get(engine.job_id) is engine:
            del self._engines[engine.job_id]
            self._check_none_left()
        self.wake(engine.job_id)

    def _check_none_left(self) -> None:
        if self._closing and not self._engines:
            self._none_left.set()

    async def _stop(self, engine: Engine, reason: str) -> None:
        if engine.stopping:
            return
        engine.stopping = reason
        hit(Failpoint.RUNNER_BEFORE_STOP)
        log.info("stopping engine", job_id=engine.job_id, attempt=engine.attempt, reason=reason)
        assert self._tasks is not None
        self._tasks.create_task(engine.handle.stop(self._config.engine.stop_grace), name=f"stop {engine.job_id}")

    def _give_slot_back(self, engine: Engine) -> None:
        if engine.holds_slot:
            engine.holds_slot = False
            self._free_slot()

    def _free_slot(self) -> None:
        self._slots += 1
        if self._queue:
            self.wake(self._queue.popleft())

    async def _adopt_all(self) -> None:
        """Takes over every engine that lives, known or not, and the ends that nobody has recorded yet."""
        ids = {JobId(job_id) for job_id in await self._driver.jobs()}
        ids |= {job.job_id for job in self._follower.jobs.values() if job.actual is not Actual.NONE}
        handles = await asyncio.gather(*(self._adopt(job_id) for job_id in ids))
        engines = [self._hold(JobId(h.hello.head.job_id), h) for h in handles if h is not None]
        hit(Failpoint.RUNNER_FOUND_ENGINES)
        adopted = [observed for engine in engines if (observed := self._adoption(engine)) is not None]
        if adopted:
            await self._recorder.record_all(adopted)
        for engine in engines:
            self._watch(engine)
        log.info("engines adopted", adopted=len(adopted), found=len(engines))

    async def _adopt(self, job_id: JobId) -> EngineHandle | None:
        job = self._follower.jobs.get(job_id)
        return await self._driver.adopt(job_id, self._epoch, job.engine if job is not None else None)

    def _adoption(self, engine: Engine) -> Observe | None:
        job = self._follower.jobs.get(engine.job_id)
        if job is None or job.incarnation != engine.incarnation or job.attempt > engine.attempt:
            return None
        if engine.handle.hello.state in (EngineState.FAILED, EngineState.ENDED, EngineState.GONE):
            return None
        event = e.EngineAdopted(attempt=engine.attempt, engine=engine.handle.identity)
        return Observe(job_id=job.job_id, incarnation=job.incarnation, event=event)

    async def _record_adoption(self, job: Job, engine: Engine) -> None:
        event = e.EngineAdopted(attempt=engine.attempt, engine=engine.handle.identity)
        await self._recorder.record(job.job_id, job.incarnation, event)

    async def _record_losses(self) -> None:
        """Before anybody reads the status of a job whose engine is gone."""
        lost = [
            Observe(job_id=job.job_id, incarnation=job.incarnation, event=self._loss(job))
            for job in self._follower.jobs.values()
            if job.actual is not Actual.NONE and job.job_id not in self._engines
        ]
        if lost:
            await self._recorder.record_all(lost)

    def _loss(self, job: Job) -> e.Event:
        return e.EngineLost(attempt=job.attempt, reason="its process was gone when the runner looked for it")
