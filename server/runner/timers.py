"""When a job is to be looked at again, by the monotonic clock: the wall clock may jump."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from server.jobs.ids import JobId
from server.jobs.state import Job


class Timers:
    """`wake` is called with a job whose time has come."""

    def __init__(self, wake: Callable[[JobId], None]) -> None:
        self._wake = wake
        self._due: dict[JobId, tuple[datetime, float]] = {}
        self._timers: dict[JobId, asyncio.TimerHandle] = {}

    def wake_in(self, seconds: float, job_id: JobId) -> None:
        """In place of an earlier one: a job in a crash loop would gather them."""
        if job_id in self._timers:
            self._timers[job_id].cancel()
        self._timers[job_id] = asyncio.get_running_loop().call_later(seconds, self._wake_now, job_id)

    def _wake_now(self, job_id: JobId) -> None:
        del self._timers[job_id]
        self._wake(job_id)

    def seconds_until(self, job: Job, moment: datetime | None, most: float) -> float | None:
        """Seconds until that moment, counted from when we learned of it, and at most as many as it could have been
        away then."""
        if moment is None:
            return None
        now = asyncio.get_running_loop().time()
        known = self._due.get(job.job_id)
        if known is None or known[0] != moment:
            away = (moment - datetime.now(UTC)).total_seconds()
            known = self._due[job.job_id] = (moment, now + min(max(away, 0.0), most))
        return max(known[1] - now, 0.0)

    def forget(self, job_id: JobId) -> None:
        """The job is gone."""
        self._due.pop(job_id, None)
