"""One scrape: what the API knows, what the database says, and the runner's part, put together in bounded time."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

import msgspec

from server.api.commands import JobCommands
from server.api.describe import program_version
from server.api.feed import Feed
from server.api.request_counts import RequestCounts
from server.config import MetricsSection
from server.jobs.state import Job
from server.jobs.words import JobStatus
from server.metrics import link
from server.metrics import of_jobs as j
from server.metrics import of_server as s
from server.metrics.family import Samples
from server.metrics.fresh import FRESH_SECONDS, Fresh
from server.metrics.processes import add_database, add_follower, add_process
from server.metrics.text import Parts, parts_of, text_of
from server.store import Store
from server.store.call_times import merged
from server.store.follower import Follower
from server.store.health import HealthProbe, StoreHealth
from server.store.history import History

DATABASE_SECONDS = 2.0
RUNNER_SECONDS = 4.0
"""More than it takes itself: it waits two seconds for engines at most, and then writes down what it knows."""
PROCESS = "api"


class Sources(msgspec.Struct, frozen=True, kw_only=True):
    """What the numbers are read from. `streams` are the event streams that are open."""

    store: Store
    follower: Follower
    feed: Feed
    history: History
    health: HealthProbe
    commands: JobCommands
    requests: RequestCounts
    streams: set[object]
    state_dir: Path


class Scrape:
    def __init__(self, sources: Sources, settings: MetricsSection) -> None:
        self._from = sources
        self._settings = settings
        self._fresh = Fresh(self._make, FRESH_SECONDS)

    async def text(self) -> bytes:
        """Within five seconds, whatever database, runner and engines do; at most a second old."""
        return await self._fresh.get()

    async def _make(self) -> bytes:
        (health, asked_database), (theirs, asked_runner) = await asyncio.gather(self._database(), self._runner())
        samples = Samples()
        self._add_server(samples, health)
        samples.add(s.RUNNER_UP, theirs is not None)
        samples.add(s.SCRAPE_SECONDS, round(asked_database, 4), {"part": "database"})
        samples.add(s.SCRAPE_SECONDS, round(asked_runner, 4), {"part": "runner"})
        self._add_requests(samples)
        jobs = list(self._from.follower.jobs.values())
        # not on the loop: it takes its time, and clients wait for other things
        return await asyncio.to_thread(self._write, samples, jobs, theirs or {})

    async def _database(self) -> tuple[StoreHealth, float]:
        began = monotonic()
        try:
            async with asyncio.timeout(DATABASE_SECONDS):
                health = await self._from.health.ask()
        except TimeoutError:
            health = StoreHealth()
        return health, monotonic() - began

    async def _runner(self) -> tuple[Parts | None, float]:
        began = monotonic()
        parts = await link.ask_parts(self._from.state_dir, RUNNER_SECONDS)
        return parts, monotonic() - began

    def _add_server(self, samples: Samples, health: StoreHealth) -> None:
        samples.add(s.BUILD, 1, {"version": program_version()})
        samples.add(s.DATABASE_UP, health.readable)
        samples.add(s.DATABASE_WRITABLE, health.writable)
        if health.head is not None:
            samples.add(s.LOG_POSITION, health.head)
        if health.readable:
            samples.add(s.LEADER_UP, health.leader is not None)
        if health.leader is not None:
            samples.add(s.LEADER_EPOCH, health.leader.epoch)
            samples.add(s.LEADER_SINCE, health.leader.since.timestamp(), {"host": health.leader.host})
        add_follower(samples, PROCESS, "jobs", self._from.follower.position, health.head)
        add_follower(samples, PROCESS, "feed", self._from.feed.position, health.head)
        add_process(samples, PROCESS)
        calls = merged([self._from.store.call_times(), self._from.history.call_times()])
        add_database(samples, PROCESS, self._from.store.waiting, calls)

    def _add_requests(self, samples: Samples) -> None:
        requests = self._from.requests
        for (method, route, status), count in requests.counts.items():
            samples.add(s.API_REQUESTS, count, {"method": method, "route": route, "status": str(status)})
        for (method, route), tally in requests.durations.items():
            samples.add_durations(s.API_SECONDS, tally.read(), {"method": method, "route": route})
        for command, tally in self._from.commands.times.items():
            samples.add_durations(s.COMMANDS, tally.read(), {"command": command})
        samples.add(s.API_STREAMS, len(self._from.streams))

    def _write(self, samples: Samples, jobs: Sequence[Job], theirs: Parts) -> bytes:
        by_status: dict[JobStatus, int] = {word: 0 for word in JobStatus if word is not JobStatus.NOTEXIST}
        for job in jobs:
            by_status[job.status] += 1
        for word, count in by_status.items():
            samples.add(s.JOBS, count, {"status": word})
        # always the same ones, lest series come and go
        shown = sorted(jobs, key=lambda job: (job.created_at, job.job_id))[: self._settings.max_jobs]
        samples.add(s.JOBS_LEFT_OUT, len(jobs) - len(shown))
        now = datetime.now(UTC)
        for job in shown:
            _add_job(samples, job, now)
        return text_of([parts_of(samples), theirs])


def _add_job(samples: Samples, job: Job, now: datetime) -> None:
    labels = {"job_id": str(job.job_id)}
    samples.add(j.JOB_STATUS, 1, labels | {"status": job.status})
    samples.add(j.JOB_RESTARTS, max(job.attempt - 1, 0), labels)
    samples.add(j.JOB_FAILURES, job.failures, labels)
    samples.add(j.JOB_STALLED, job.stalled is not None, labels)
    if job.ready_at is not None:
        samples.add(j.JOB_UPTIME, round(max((now - job.ready_at).total_seconds(), 0.0), 3), labels)
