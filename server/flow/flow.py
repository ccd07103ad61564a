"""A running flow: from a plan to open units and served endpoints, and to its end (spec 1.5)."""

import asyncio
import logging
import os
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import Any, TypeVar

from server.flow.counters import NodeCounters, Stall, counters_of
from server.flow.drain import drain
from server.flow.http.front import HttpFront
from server.flow.http.services import Services
from server.flow.limits import FlowLimits
from server.flow.listeners import Endpoint, Listeners
from server.flow.log_lines import SPEAKER
from server.flow.mailbox import Mailbox
from server.flow.plan import Plan
from server.flow.profile.profiler import Profiler, profiler_of
from server.flow.pyunits.imports import UnitImports
from server.flow.run.build import UnitMaker, build_nodes
from server.flow.run.calls import SUCCESS, Outcome, call_unit
from server.flow.run.inputs import InputFeed, InputNode
from server.flow.run.load import open_unit
from server.flow.run.node import Node
from server.flow.run.scheduler import Scheduler
from server.flow.run.sizes import max_threads
from server.flow.run.source import SourceNode
from server.flow.secrets import AllowedSecrets
from server.flow.stalls import StallWatch
from server.flow.statistics import SchedulerStatus, status_of
from server.flow.status import FlowError, StatusCode, open_words
from server.flow.tracing import attach
from server.flow.unitapi import Configuration, SessionContext
from server.flow.unitapi.log import LogLevel
from server.tracing import Tracing

__all__ = ["Flow", "FlowEnd", "FlowLimits"]

BUILD_WORDS = "build graph failed, please check graph config."
CLOSE_SECONDS = 1.0
"""How long `stop` waits for units that are in a call or in `close`, if the grace period is over."""
STOPPED = "the flow has been stopped"
SOURCE_LINGER_SECONDS = 1.0
"""How long no source may begin anything before they all count as ended."""

log = logging.getLogger("server.flow")

Result = TypeVar("Result")


@dataclass(frozen=True)
class FlowEnd:
    """Why a flow ended by itself: SUCCESS when all sources ended and all data is through."""

    code: StatusCode
    message: str = ""


class Flow:
    """All methods are for the event loop in which `open` was called. Units run on threads."""

    def __init__(
        self,
        plan: Plan,
        listeners: Listeners,
        limits: FlowLimits,
        makers: Mapping[str, UnitMaker] | None = None,
    ) -> None:
        """`makers`: how units are made whose entry is a name that a program chose."""
        self._plan = plan
        self._makers = makers
        self._listeners = listeners
        self._limits = limits
        self._nodes: dict[str, Node] = {}
        self._opened: list[Node] = []
        self._front: HttpFront | None = None
        self._end: FlowEnd | None = None
        self._ended = asyncio.Event()
        self._watch: asyncio.Task[None] | None = None
        self._stall_watch: StallWatch | None = None
        self._stall_task: asyncio.Task[None] | None = None
        self._profiler: Profiler | None = None
        self._tracing: Tracing | None = None
        self._is_running = False
        self._is_stopped = False

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        return self._front.endpoints if self._front else ()

    def counters(self) -> tuple[NodeCounters, ...]:
        http = self._front.counters() if self._front is not None else {}
        in_call = Counter(call.node_name for call in self._scheduler.calls()) if self._nodes else Counter[str]()
        return tuple(counters_of(node, http.get(name), in_call[name]) for name, node in self._nodes.items())

    def stalls(self) -> tuple[Stall, ...]:
        """The nodes that make no progress though they have input."""
        return self._stall_watch.look() if self._stall_watch is not None else ()

    def scheduler_status(self) -> SchedulerStatus:
        if self._is_stopped or self._end is not None:
            return SchedulerStatus.SHUTDOWN
        if not self._is_running:
            return SchedulerStatus.INITIAL
        return status_of(self._nodes.values(), self._scheduler, self.stalls())

    async def next_stalls(self) -> tuple[Stall, ...]:
        """Waits until the flow stalls, or, the next time, goes on again: who stalls, nobody then."""
        if self._stall_watch is None:
            await asyncio.Event().wait()  # nobody looks, so nothing will ever be told
            raise AssertionError
        return await self._stall_watch.changed()

    def be_traced(self, tracing: Tracing) -> None:
        """Requests, and the calls of units for them, are traced. Before it is built."""
        self._tracing = tracing

    async def open(self) -> None:
        """Makes and opens all units, claims the endpoints, starts to serve.

        Raises: FlowError, worded from the outer step to the cause. Everything is closed again then.
        """
        await self.build()
        await self.start()

    async def prepare(self) -> None:
        """As `open`, but that nothing is accepted and no source begins before `start`: for a flow that is to take
        over from another one. Raises: as `open`."""
        await self.build()
        await self._or_closed(self._claim())

    async def build(self) -> None:
        """The first half of `open`: makes and opens all units. Raises: as `open`."""
        self._mailbox = Mailbox(asyncio.get_running_loop())
        self._scheduler = Scheduler("flow", max_threads(self._plan.settings, len(self._plan.nodes)))
        await self._or_closed(self._build())

    async def start(self) -> None:
        """The second half of `open`: claims the endpoints, and lets data flow. Raises: as `open`."""
        await self._or_closed(self._start())

    def give_way(self) -> None:
        """Another flow takes over: nothing new from source units, and no more connections. Requests that come on
        those that are there are handed over to it, and so are connections on which nothing is under way."""
        assert self._front is not None
        served = self._front.nodes
        for source in self._sources():
            if source not in served:
                source.drain()
        self._front.give_way()

    async def _or_closed(self, step: Coroutine[Any, Any, None]) -> None:
        try:
            await step
        except FlowError as error:
            await self.stop(0)
            raise error.within(BUILD_WORDS) from error
        except BaseException:
            await self.stop(0)
            raise

    async def ended(self) -> FlowEnd:
        """Waits until the flow ends by itself. A flow with HTTP receive units does not."""
        await self._ended.wait()
        assert self._end is not None
        return self._end

    @property
    def sessions(self) -> int:
        """How many sessions that began at the graph's sources, requests included, are not through yet."""
        return sum(source.sessions for source in self._sources())

    async def stop(self, grace: float) -> None:
        """No new requests, and nothing more from source units. What is in flight may finish within `grace`
        seconds; after that requests are answered 503 and data is dropped. Then units are closed. Returns in
        bounded time whatever units do: their threads end with the process."""
        if self._is_stopped:
            return
        self._is_stopped = True
        deadline = monotonic() + grace
        for task in (self._watch, self._stall_task):
            if task is not None:
                task.cancel()
        for source in self._sources():
            source.drain()
        if self._front is not None:
            await self._front.close(grace)
        if self._is_running and self._end is None:
            await drain(self._nodes.values(), self._scheduler, deadline)
        self._scheduler.stop()
        for node in self._nodes.values():
            if isinstance(node, InputNode):
                node.stop(STOPPED)
        await self._settled(max(deadline, monotonic() + CLOSE_SECONDS))
        await self._close_units(max(deadline - monotonic(), CLOSE_SECONDS))
        if self._profiler is not None:
            await self._profiler.stop()

    def begin(self, context: SessionContext) -> InputFeed | None:
        """A new session at the graph's input nodes; None when it has none. From any thread, after `build`."""
        inputs = self._input_node()
        return inputs.begin(context) if inputs is not None else None

    def end(self, code: StatusCode, message: str) -> None:
        """Ends the flow, from a worker. The first reason counts."""
        self._mailbox.post(partial(self._note_end, FlowEnd(code, message)))

    async def _build(self) -> None:
        name = f"flow-{os.getpid()}-{id(self):x}"
        self._front = HttpFront(name, self._listeners, self._limits, self._mailbox, self._tracing)
        services = Services(serve=self._front.add)
        # not on the loop: units import what they need, which may take long
        make = partial(build_nodes, self._plan, self._scheduler, self, services, self._makers)
        self._nodes = await _on_thread(make, self._mailbox)
        self._profiler = profiler_of(self._plan, self._nodes)
        if self._tracing is not None:
            attach(self._nodes.values())
        _set_log_level(self._plan.settings.get("log.level", ""))
        self._scheduler.start(self._crashed)
        await self._open_units()

    async def _claim(self) -> None:
        assert self._front is not None
        await self._front.claim()

    async def _start(self) -> None:
        assert self._front is not None
        await self._front.serve()
        for node in self._nodes.values():
            if isinstance(node, SourceNode | InputNode):
                # before anybody can send: what a worker does comes some time later
                node.room.open()
        self._scheduler.post(self._start_nodes)
        self._is_running = True
        seconds = Configuration(self._plan.settings).get_float("graph.stall-seconds", self._limits.stall_seconds)
        if seconds > 0:
            self._stall_watch = StallWatch(self._nodes, self._scheduler, seconds)
            self._stall_task = asyncio.create_task(self._stall_watch.run())
        if self._sources_can_end():
            self._watch = asyncio.create_task(self._watch_sources())

    async def _open_units(self) -> None:
        loop = asyncio.get_running_loop()
        calls = []
        for node in self._nodes.values():
            call = _OpenCall(node, loop.create_future(), self._mailbox, self._limits.secrets)
            calls.append(call)
            self._scheduler.post(partial(self._scheduler.ready, call))
        await asyncio.gather(*(call.done for call in calls))
        self._opened = [call.node for call in calls if call.outcome.code is StatusCode.SUCCESS]
        for call in calls:
            outcome, unit = call.outcome, call.node.description
            if outcome.code is not StatusCode.SUCCESS:
                words = outcome.message or f"{unit.name} open failed, {outcome.code.text}"
                raise FlowError(outcome.code, open_words(unit.name, call.node.plan.device), words)

    def _start_nodes(self) -> None:
        for node in self._nodes.values():
            node.start()

    def _crashed(self, error: BaseException) -> None:
        self.end(StatusCode.FAULT, f"the scheduler failed: {type(error).__name__}: {error}")

    def _note_end(self, end: FlowEnd) -> None:
        if self._end is not None:
            return
        self._end = end
        if end.code is not StatusCode.SUCCESS and (inputs := self._input_node()) is not None:
            inputs.stop(end.message)
        self._ended.set()

    def _input_node(self) -> InputNode | None:
        return next((node for node in self._nodes.values() if isinstance(node, InputNode)), None)

    def _sources(self) -> list[SourceNode]:
        return [node for node in self._nodes.values() if isinstance(node, SourceNode)]

    def _sources_can_end(self) -> bool:
        if self.endpoints or self._input_node() is not None:
            return False
        return any(isinstance(node, SourceNode) for node in self._nodes.values())

    async def _watch_sources(self) -> None:
        """The flow has ended well once every source has begun something, all of it is through, and nothing
        new came for a while: a source that opens one session after the other is between two of them."""
        sources = self._sources()
        seen = -1
        while True:
            await asyncio.sleep(SOURCE_LINGER_SECONDS)
            begun = sum(source.fed for source in sources)
            is_quiet = all(source.fed and not source.sessions for source in sources)
            if is_quiet and begun == seen:
                self._note_end(FlowEnd(StatusCode.SUCCESS))
                return
            seen = begun if is_quiet else -1

    async def _settled(self, deadline: float) -> None:
        """Waits for the calls that are under way. Looks rather than listens: it is a matter of milliseconds."""
        while self._scheduler.running and monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.005)

    async def _close_units(self, seconds: float) -> None:
        """Each unit's close on a thread of its own, as some may hang; those that cannot, together on one."""
        loop = asyncio.get_running_loop()
        quick = [node for node in self._opened if node.quick]
        groups = [[node] for node in self._opened if not node.quick]
        if quick:
            groups.append(quick)
        waits = []
        for group in groups:
            done = loop.create_future()
            waits.append(done)
            letter = partial(self._mailbox.post, partial(_settle, done))
            threading.Thread(target=_close, args=(group, letter), name="flow-close", daemon=True).start()
        self._opened = []
        if waits:
            _, late = await asyncio.wait(waits, timeout=seconds)
            if late:
                log.warning("%d units did not return from close in time", len(late))


class _OpenCall:
    """A unit's `open`, as the scheduler's job and call in one."""

    forced = False

    def __init__(
        self, node: Node, done: "asyncio.Future[None]", mailbox: Mailbox, secrets: AllowedSecrets
    ) -> None:
        self.node = node
        self.done = done
        self.quick = node.quick
        self.outcome: Outcome = SUCCESS
        self._mailbox = mailbox
        self._secrets = secrets

    def take(self) -> "_OpenCall":
        return self

    def run(self) -> None:
        self.outcome = open_unit(self.node.plan, self.node.unit, self._secrets)

    def finish(self) -> None:
        self._mailbox.post(partial(_settle, self.done))


async def _on_thread(work: Callable[[], Result], mailbox: Mailbox) -> Result:
    """The result of `work`, which goes on alone when the wait for it is cancelled."""
    future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()

    def deliver(result: Result | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        try:
            result = work()
        except BaseException as error:
            mailbox.post(partial(deliver, None, error))
        else:
            mailbox.post(partial(deliver, result, None))

    threading.Thread(target=run, name="flow-build", daemon=True).start()
    return await future


def _settle(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


def _close(nodes: list[Node], done: Callable[[], None]) -> None:
    for node in nodes:
        SPEAKER.set(partial(str, node.name))
        outcome = call_unit(f"{node.name}.close", node.unit.close, otherwise=StatusCode.SUCCESS)
        if outcome.code is not StatusCode.SUCCESS:
            log.warning("%s.close failed: %s", node.name, outcome.message or outcome.code.text)
    done()


def _set_log_level(name: str) -> None:
    """The level of what units log in this process; an unknown name changes nothing, as in ModelBox (spec 1.4)."""
    if name in LogLevel.__members__:
        api = UnitImports.of_process().api["_flowunit"]
        vars(api)["set_log_level"](LogLevel[name])
