"""Writes down what the runner sees. What was seen must not get lost, so it tries until the log takes it."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import structlog

from server.failpoints import Failpoint, hit
from server.jobs import events as e
from server.jobs.commands import Context, Observe
from server.jobs.ids import Epoch, JobId
from server.store import Store, StoreUnavailable
from server.store.follower import Follower

log = structlog.get_logger()

RETRY_SECONDS = 0.25
ACTOR = "runner"


class Recorder:
    def __init__(self, store: Store, follower: Follower, epoch: Epoch) -> None:
        self._store = store
        self._follower = follower
        self._epoch = epoch
        self.counts: Counter[str] = Counter()
        """How many events of each type were recorded."""

    async def record(self, job_id: JobId, incarnation: int, *events: e.Event) -> None:
        """Appends `events` in one transaction; those that are no news any more are left out.

        Raises: StaleEpoch, when another runner leads by now.
        """
        await self.record_all([Observe(job_id=job_id, incarnation=incarnation, event=event) for event in events])

    async def record_all(self, observations: Sequence[Observe]) -> None:
        """As `record`, for several jobs at once."""
        while True:
            try:
                hit(Failpoint.RUNNER_BEFORE_RECORD)
                appended = await self._store.submit_all(observations, Context(actor=ACTOR), self._epoch)
                break
            except StoreUnavailable as error:
                log.warning("the log cannot be written, trying again", reason=str(error))
                await asyncio.sleep(RETRY_SECONDS)
        hit(Failpoint.RUNNER_RECORDED)
        for one in appended:
            self.counts.update(recorded.type for recorded in one.events)
            self._follower.note(one)
