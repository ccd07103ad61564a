"""Keeps one engine for each job that should run, and none for any other; and two while a job is being changed.

Each job has at most one task at work on it, so that steps of one job never overlap while jobs do not wait for
each other. A task asks `change`, then `reconcile`, for the next step, does it, and asks again until nothing is to
be done.
"""

import asyncio
from collections.abc import Mapping

import structlog

from server.config import Config
from server.engines.driver import EngineDriver, EngineHostGone, EngineRefused
from server.engines.protocol import Refusal
from server.failpoints import Failpoint, hit
from server.jobs import events as e
from server.jobs.ids import Epoch, JobId
from server.jobs.orders import is_to_go
from server.jobs.restart import healthy_after, healthy_at, policy_of, stall_after_of
from server.jobs.state import Job
from server.runner import change as c
from server.runner import reconcile as r
from server.runner.adoption import Adoption, loss_of
from server.runner.engines import Engine
from server.runner.held import Held
from server.runner.pings import Pinger
from server.runner.ports import Ports
from server.runner.recorder import Recorder
from server.runner.slots import SLOT_SECONDS, StartSlots
from server.runner.starts import Starts
from server.runner.successor import Successors
from server.runner.timers import Timers
from server.runner.watch import Watch
from server.store import Store
from server.store.follower import Follower
from server.tracing import Tracing

log = structlog.get_logger()

HOST_LOOK_SECONDS = 1.0
"""How long an engine host can be gone before it is replaced without being needed."""
TAKE_OVER_SECONDS = 0.5
"""Pause before a successor that did not answer is told once more that it has taken over."""


class Keeper:
    def __init__(
        self,
        store: Store,
        follower: Follower,
        driver: EngineDriver,
        epoch: Epoch,
        config: Config,
        tracing: Tracing | None = None,
    ) -> None:
        self._store = store
        self._follower = follower
        self._driver = driver
        self._epoch = epoch
        self._config = config
        self._recorder = Recorder(store, follower, epoch)
        self._adoption = Adoption(follower, driver, self._recorder, epoch)
        self._held = Held()
        self._successors = Successors(self._recorder, follower)
        self._ports = Ports(driver, follower, self._held)
        self._at_work: set[JobId] = set()
        self._again: set[JobId] = set()
        self._timers = Timers(self.wake)
        self._slots = StartSlots(config.engine.max_starting, self.wake)
        self._starts = Starts(store, driver, self._adoption, self._slots, epoch, config, self.wake, tracing)
        self._closing = ""
        self._none_left = asyncio.Event()
        self._tasks: asyncio.TaskGroup | None = None

    @property
    def engines(self) -> Mapping[JobId, Engine]:
        return self._held.engines

    @property
    def waiting(self) -> int:
        """How many jobs wait for others to have started."""
        return self._slots.waiting

    @property
    def recorded(self) -> Mapping[str, int]:
        """How many events of each type this runner has recorded."""
        return self._recorder.counts

    async def run(self, settled: asyncio.Event) -> None:
        """Adopts what lives, then keeps to the log until cancelled. Sets `settled` when what the log says of
        each engine is true. Raises: StaleEpoch (in a group), when another runner leads."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            for engine in await self._adoption.adopt_all():
                self._watch(self._hold(engine))
            self._ports.look_through()
            hit(Failpoint.RUNNER_ADOPTED)
            await self._adoption.record_losses(self._held.engines)
            hit(Failpoint.RUNNER_SETTLED)
            settled.set()
            self._follower.subscribe(self._wake_all)
            tasks.create_task(self._keep_driver_ready(), name="driver")
            self._wake_all(set(self._follower.jobs) | {engine.job_id for engine in self._held})
            pinger = Pinger(self._recorder, self._follower, self._held.engines, self._config.engine)
            tasks.create_task(pinger.run(), name="pings")
            await self._follower.follow()

    async def _keep_driver_ready(self) -> None:
        """Spares the first job the start of an engine host, and replaces one that died: an engine in the middle of
        its start may be waiting for it, with nobody else about to start anything."""
        while not self._closing:
            try:
                await self._driver.prepare()
                await self._ports.free_finished()
            except EngineHostGone as error:
                log.warning("no engine host yet", reason=str(error))
            await asyncio.sleep(HOST_LOOK_SECONDS)

    async def stop_engines(self, reason: str) -> None:
        """Stops every engine and starts none any more; the jobs stay wanted. Bounded by the grace period."""
        self._closing = reason
        self._none_left.clear()
        self._check_none_left()
        await asyncio.gather(*(self._stop(engine, reason) for engine in list(self._held)))
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
        job = self._follower.jobs.get(job_id)
        self._held.arrange(job_id, job)
        engine, second = self._held.engines.get(job_id), self._held.seconds.get(job_id)
        if job is None:
            self._timers.forget(job_id)
        view = engine.view if engine else None
        second_view = second.second_view if second else None
        change = c.next_step(job, view, second_view)
        if change is not None:
            return await self._change(job, change, engine, second)
        await self._ports.tidy(job_id, job, engine)
        action = r.reconcile(
            job, view, self._retry_in(job) if job else 0.0, self._healthy_in(job) if job else None
        )
        match action:
            case r.StartEngine() if job is not None and c.holds_back(job, second_view):
                return False
            case r.RemoveJob() if second is not None:
                return False
            case r.StartEngine(attempt) if job is not None:
                return await self._start(job, attempt)
            case r.StopEngine(reason) if engine is not None:
                await self._stop(engine, reason)
            case r.RecordLoss() if job is not None:
                await self._recorder.record(job_id, job.incarnation, loss_of(job))
            case r.RecordStart() if job is not None and engine is not None:
                await self._adoption.record(job, engine)
            case r.RecordHealthy() if job is not None:
                await self._recorder.record(job_id, job.incarnation, e.EngineHealthy(attempt=job.attempt))
            case r.RemoveJob() if job is not None:
                await self._ports.free(job_id)
                await self._recorder.record(job_id, job.incarnation, e.JobDeleted())
            case r.ReleasePorts() if second is None:
                await self._ports.free(job_id)
                return False
            case r.Wait(seconds):
                self._timers.wake_in(seconds, job_id)
                return False
            case _:
                return False
        return True

    def _retry_in(self, job: Job) -> float:
        """Seconds until the next attempt is due."""
        policy = policy_of(job, self._config.engine.restart_policy)
        return self._timers.seconds_until(job, job.retry_at, max(policy.delay, policy.delay_max)) or 0.0

    def _healthy_in(self, job: Job) -> float | None:
        engine = self._config.engine
        policy, stall_after = policy_of(job, engine.restart_policy), stall_after_of(job, engine.stall_after)
        most = healthy_after(policy, stall_after)
        return self._timers.seconds_until(job, healthy_at(policy, job, stall_after), most)

    async def _change(
        self, job: Job | None, action: c.ChangeAction, engine: Engine | None, second: Engine | None
    ) -> bool:
        """As `_step`, for a job that is being changed."""
        match action:
            case c.StopSecond(reason) if second is not None:
                await self._stop(second, reason)
            case c.StartSuccessor(attempt) if job is not None:
                return await self._start_successor(job, attempt, 1 - engine.seat if engine is not None else 0)
            case c.RecordSuccessor() if job is not None and second is not None:
                await self._successors.record_start(job, second)
            case c.Apply() if job is not None and second is not None:
                await self._successors.apply(job, second)
            case c.TakeOver() if job is not None and engine is not None:
                if not await self._successors.take_over(job, engine, second):
                    self._timers.wake_in(TAKE_OVER_SECONDS, job.job_id)
                    return False
            case c.FailChange(reason) if job is not None:
                await self._successors.give_up(job, reason)
            case _:
                return False
        return True

    async def _start(self, job: Job, attempt: int) -> bool:
        if self._closing:
            return False
        try:
            engine = await self._starts.start(job, attempt)
        except EngineRefused:
            await self._adopt_unknown(job.job_id)
            return False
        if engine is None:
            return False
        self._hold(engine)
        hit(Failpoint.RUNNER_ENGINE_STARTED)
        started = e.EngineStarted(attempt=attempt, engine=engine.handle.identity)
        await self._recorder.record(job.job_id, job.incarnation, started)
        self._watch(engine)
        return True

    async def _start_successor(self, job: Job, attempt: int, seat: int) -> bool:
        if self._closing:
            return False
        try:
            engine = await self._starts.start(job, attempt, seat=seat, successor=True)
        except EngineRefused as error:
            if error.kind is Refusal.IMPOSSIBLE:
                await self._successors.give_up(job, str(error))
                return True
            await self._adopt_unknown(job.job_id)
            return False
        if engine is None:
            return False
        self._hold(engine)
        hit(Failpoint.RUNNER_SUCCESSOR_STARTED)
        await self._successors.record_start(job, engine)
        self._watch(engine)
        return True

    async def _adopt_unknown(self, job_id: JobId) -> None:
        """Most likely an engine of this job runs that we do not hold: what it is will be decided once we do."""
        found = [engine for engine in await self._adoption.adopt(job_id) if not self._held.has(engine)]
        for engine in found:
            self._watch(self._hold(engine))
        if found:
            self.wake(job_id)
        else:
            self._starts.try_again(job_id)

    def _hold(self, engine: Engine) -> Engine:
        return self._held.add(engine, self._follower.jobs.get(engine.job_id))

    def _watch(self, engine: Engine) -> None:
        assert self._tasks is not None
        watch = Watch(self._recorder, self._follower, self._store, self._driver, self._config.engine, self._held)
        self._tasks.create_task(self._watch_to_end(watch, engine), name=f"watch {engine.job_id}")

    async def _watch_to_end(self, watch: Watch, engine: Engine) -> None:
        patience = asyncio.get_running_loop().call_later(SLOT_SECONDS, self._slots.give_back, engine)
        await watch.until_up(engine)
        patience.cancel()
        self._slots.give_back(engine)
        if engine.is_successor:
            self.wake(engine.job_id)
        await watch.until_gone(engine)
        self._held.remove(engine)
        self._check_none_left()
        await self._ports.clear_up_after(engine)
        self.wake(engine.job_id)

    def _check_none_left(self) -> None:
        if self._closing and not len(self._held):
            self._none_left.set()

    async def _stop(self, engine: Engine, reason: str) -> None:
        grace = self._grace_of(engine)
        if engine.stopping and engine.grace is not None and grace >= engine.grace:
            return
        engine.stopping, engine.grace = engine.stopping or reason, grace
        hit(Failpoint.RUNNER_BEFORE_STOP)
        log.info("stopping engine", job_id=engine.job_id, attempt=engine.attempt, grace=grace, reason=reason)
        assert self._tasks is not None
        ending = engine.handle.stop(grace) if grace else engine.handle.kill()
        self._tasks.create_task(ending, name=f"stop {engine.job_id}")

    def _grace_of(self, engine: Engine) -> float:
        """What was asked for, when that is why it has to go."""
        job = self._follower.jobs.get(engine.job_id)
        asked = None
        if job is not None and job.incarnation == engine.incarnation and is_to_go(job, engine.attempt):
            asked = job.orders.grace
        return self._config.engine.stop_grace if asked is None else asked
