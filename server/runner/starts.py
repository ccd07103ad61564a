"""Gets an engine started, or finds out why that has to wait."""

import asyncio
from collections.abc import Callable

import structlog

from server.config import Config
from server.engines.driver import EngineDriver, EngineHostGone, EngineRefused, injected
from server.failpoints import Failpoint, hit
from server.jobs.ids import Epoch, JobId, digest_of
from server.jobs.state import Job
from server.runner.adoption import Adoption
from server.runner.engines import Engine
from server.runner.slots import StartSlots
from server.runner.specs import spec_of
from server.runner.start_traces import start_traced
from server.store import Store, StoreUnavailable
from server.tracing import Tracing

log = structlog.get_logger()

RETRY_SECONDS = 1.0
"""Pause before an engine is asked for again when none could be had."""


class Starts:
    """`wake` is called with a job for which it is to be tried again."""

    def __init__(
        self,
        store: Store,
        driver: EngineDriver,
        adoption: Adoption,
        slots: StartSlots,
        epoch: Epoch,
        config: Config,
        wake: Callable[[JobId], None],
        tracing: Tracing | None = None,
    ) -> None:
        self._store = store
        self._driver = driver
        self._adoption = adoption
        self._slots = slots
        self._epoch = epoch
        self._config = config
        self._wake = wake
        self._tracing = tracing

    async def start(self, job: Job, attempt: int, *, seat: int = 0, successor: bool = False) -> Engine | None:
        """The engine, of whose start nobody has told yet; None when it is to be tried again later, for which the
        job will be woken.

        Raises: EngineRefused, when another engine is in its place, or it cannot be had at all.
        """
        # a job that somebody just asked for goes before those that a boot brings back
        if not self._slots.take(job.job_id, goes_first=successor or job.attempt == 0):
            return None
        try:
            async with start_traced(self._tracing, self._store, job, attempt) as traceparent:
                spec = await spec_of(
                    job,
                    attempt,
                    self._epoch,
                    self._config,
                    self._store,
                    seat=seat,
                    successor=successor,
                    traceparent=traceparent,
                )
                hit(Failpoint.RUNNER_BEFORE_START, injected)
                handle = await self._driver.start(spec)
        except EngineRefused as error:
            self._slots.free()
            log.warning("engine refused", job_id=job.job_id, attempt=attempt, reason=str(error))
            raise
        except (EngineHostGone, OSError, StoreUnavailable) as error:
            self._slots.free()
            log.error("no engine could be started, trying again", job_id=job.job_id, reason=str(error))
            self.try_again(job.job_id)
            return None
        engine = self._adoption.engine_of(job.job_id, handle, holds_slot=True)
        engine.plan, engine.graph = spec.plan, digest_of(spec.graph_format, spec.source)
        return engine

    def try_again(self, job_id: JobId) -> None:
        asyncio.get_running_loop().call_later(RETRY_SECONDS, self._wake, job_id)
