"""The runner's part of the metrics: engines, what they take, what their flows count. Made when it is asked for."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from time import monotonic

import msgspec

from server.config import MetricsSection
from server.engines.usage import JobUsage, UsageReader
from server.flow.counters import HttpCounters, NodeCounters
from server.jobs.events import EngineIdentity
from server.jobs.ids import Epoch, JobId
from server.metrics import of_jobs as j
from server.metrics import of_server as s
from server.metrics.family import Samples
from server.metrics.link import EngineTold
from server.metrics.processes import add_database, add_follower, add_process
from server.metrics.text import Parts, parts_of
from server.runner.answers import Answer, Answers
from server.runner.engines import Engine
from server.runner.keeper import Keeper
from server.store import Store, StoreUnavailable
from server.store.follower import Follower

ENGINE_SECONDS = 1.0
"""How long one engine may take that is asked for its own sake."""
USAGE_SECONDS = 2.0
HEAD_SECONDS = 0.5
PROCESS = "runner"
LONG_AGO = datetime.min.replace(tzinfo=UTC)


class Shown(msgspec.Struct, frozen=True):
    """An engine that is told of."""

    job_id: JobId
    identity: EngineIdentity
    answer: Answer | None


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """All that one scrape has found out, before it is written down."""

    shown: list[Shown]
    usage: Mapping[EngineIdentity, JobUsage]
    held: int
    waiting: int
    silent: int
    epoch: Epoch
    position: int
    head: int | None
    events: dict[str, int]
    seconds: float


class RunnerMetrics:
    def __init__(
        self, store: Store, follower: Follower, keeper: Keeper, epoch: Epoch, settings: MetricsSection
    ) -> None:
        self._store = store
        self._follower = follower
        self._keeper = keeper
        self._epoch = epoch
        self._settings = settings
        self._answers = Answers()
        self._usage = UsageReader()

    async def parts(self) -> Parts:
        """Within about three seconds, whatever engines and database do."""
        began = monotonic()
        held = [engine for engine in self._keeper.engines.values() if not engine.exited]
        engines = self._oldest(held)
        identities = [engine.handle.identity for engine in engines]
        silent, usage, head = await asyncio.gather(
            self._answers.ask(engines),
            asyncio.to_thread(self._usage.read, identities, began + USAGE_SECONDS),
            self._head(),
        )
        scene = Scene(
            shown=[Shown(each.job_id, each.handle.identity, self._answers.of(each)) for each in engines],
            usage=usage,
            held=len(held),
            waiting=self._keeper.waiting,
            silent=silent,
            epoch=self._epoch,
            position=self._follower.position,
            head=head,
            events=dict(self._keeper.recorded),
            seconds=monotonic() - began,
        )
        return await asyncio.to_thread(self._write, scene)

    async def engine(self, job_id: JobId) -> EngineTold | None:
        """What the engine of that job says of its flow now; None when there is none here. Within a second."""
        engine = self._keeper.engines.get(job_id)
        if engine is None or engine.exited:
            return None
        counted = await engine.handle.counters(ENGINE_SECONDS)
        return EngineTold(incarnation=engine.incarnation, attempt=engine.attempt, counted=counted)

    def _oldest(self, engines: list[Engine]) -> list[Engine]:
        """As many as are to be told of; always the same ones, lest series come and go."""

        def age(engine: Engine) -> tuple[datetime, JobId]:
            job = self._follower.jobs.get(engine.job_id)
            return (job.created_at if job is not None else LONG_AGO), engine.job_id

        return sorted(engines, key=age)[: self._settings.max_jobs]

    async def _head(self) -> int | None:
        with suppress(StoreUnavailable, TimeoutError):
            async with asyncio.timeout(HEAD_SECONDS):
                return await self._store.read_head()
        return None

    def _write(self, scene: Scene) -> Parts:
        samples = Samples()
        samples.add(s.ENGINES, scene.held)
        samples.add(s.ENGINES_SILENT, scene.silent)
        samples.add(s.ENGINES_WAITING, scene.waiting)
        samples.add(s.RUNNER_EPOCH, scene.epoch)
        for event_type, count in sorted(scene.events.items()):
            samples.add(s.EVENTS, count, {"type": event_type})
        add_follower(samples, PROCESS, "keeper", scene.position, scene.head)
        add_database(samples, PROCESS, self._store.waiting, self._store.call_times())
        add_process(samples, PROCESS)
        room, now = self._settings.max_nodes, monotonic()
        left_out = 0
        for one in scene.shown:
            labels = {"job_id": str(one.job_id)}
            usage = scene.usage.get(one.identity)
            if usage is not None:
                _add_usage(samples, labels, usage)
            if one.answer is not None:
                samples.add(j.JOB_ANSWER_AGE, round(now - one.answer.heard_at, 3), labels)
                nodes = one.answer.counted.nodes
                for node in nodes[:room]:
                    _add_node(samples, labels | {"node": node.node}, node)
                left_out += max(len(nodes) - room, 0)
                room = max(room - len(nodes), 0)
        samples.add(s.NODES_LEFT_OUT, left_out)
        samples.add(s.SCRAPE_SECONDS, round(scene.seconds, 4), {"part": "engines"})
        return parts_of(samples)


def _add_usage(samples: Samples, labels: dict[str, str], usage: JobUsage) -> None:
    samples.add(j.JOB_CPU, usage.cpu_seconds, labels)
    samples.add(j.JOB_MEMORY, usage.memory, labels)
    samples.add(j.JOB_FDS, usage.fds, labels)
    samples.add(j.JOB_THREADS, usage.threads, labels)
    samples.add(j.JOB_PROCESSES, usage.processes, labels)


def _add_node(samples: Samples, labels: dict[str, str], node: NodeCounters) -> None:
    samples.add(j.NODE_IN, sum(port.buffers for port in node.inputs), labels)
    samples.add(j.NODE_OUT, sum(port.buffers for port in node.outputs), labels)
    samples.add(j.NODE_QUEUED, sum(port.queued or 0 for port in node.inputs), labels)
    samples.add(j.NODE_ERRORS, node.errors, labels)
    if node.durations is not None:
        samples.add_durations(j.NODE_CALLS, node.durations, labels)
    if node.http is not None:
        _add_http(samples, labels, node.http)


def _add_http(samples: Samples, labels: dict[str, str], http: HttpCounters) -> None:
    for status, count in sorted(http.statuses.items()):
        samples.add(j.HTTP_REQUESTS, count, labels | {"status": str(status)})
    samples.add_durations(j.HTTP_SECONDS, http.durations, labels)
    samples.add(j.HTTP_IN_FLIGHT, http.in_flight, labels)
