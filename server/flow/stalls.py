"""Nodes that have input and make no progress: which, why, and where their threads are."""

import asyncio
import logging
import sys
import traceback
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import partial
from time import monotonic

from server.flow.counters import Stall
from server.flow.run.node import Node
from server.flow.run.scheduler import Scheduler

LOOK_SECONDS = 0.5
"""At most, between two looks at a flow that stalls: that it goes on is to be told soon."""

QUIET_SECONDS = 600.0
"""At most, between two looks at a flow that has nothing to do: input that comes at the very moment at which a
thread is about to rest wakes nobody up."""

log = logging.getLogger("server.flow")


class StallWatch:
    """Looks at the nodes of one flow again and again. Takes no lock: what it reads may be a moment old."""

    def __init__(self, nodes: Mapping[str, Node], scheduler: Scheduler, seconds: float) -> None:
        self._nodes = nodes
        self._scheduler = scheduler
        self._seconds = seconds
        self._seen: dict[str, tuple[int, float]] = {}
        self._told: set[str] = set()
        self._stalls: tuple[Stall, ...] = ()
        self._known: tuple[Stall, ...] = ()
        self._changed = asyncio.Event()
        self._woken = asyncio.Event()

    async def run(self) -> None:
        """Looks until it is cancelled."""
        third = self._seconds / 3
        while True:
            await self._until_busy()
            self._look_and_tell()
            await asyncio.sleep(min(third, LOOK_SECONDS) if self._stalls else third)
            self._look_and_tell()

    async def _until_busy(self) -> None:
        """While a flow has nothing to do it is not looked at: a thousand quiet flows are to sleep."""
        self._woken.clear()
        # before the look: who wakes up in between is heard
        self._scheduler.on_wake = partial(self._wake, asyncio.get_running_loop())
        try:
            if not self._stalls and self._is_quiet():
                with suppress(TimeoutError):
                    async with asyncio.timeout(QUIET_SECONDS):
                        await self._woken.wait()
        finally:
            self._scheduler.on_wake = None

    def _wake(self, loop: asyncio.AbstractEventLoop) -> None:
        """On a thread of the scheduler."""
        with suppress(RuntimeError):  # the loop is closed: nobody looks any more
            loop.call_soon_threadsafe(self._woken.set)

    def _is_quiet(self) -> bool:
        return not self._scheduler.calls() and not any(
            port.queued > 0 for node in self._nodes.values() for port in node.inputs
        )

    def _look_and_tell(self) -> None:
        found = self.look()
        if bool(found) != bool(self._stalls):
            self._changed.set()
        self._stalls = found

    async def changed(self) -> tuple[Stall, ...]:
        """Waits until the flow stalls, or goes on again: who stalls, nobody then. For one waiter."""
        while bool(self._stalls) == bool(self._known):
            self._changed.clear()
            await self._changed.wait()
        self._known = self._stalls
        return self._known

    def look(self) -> tuple[Stall, ...]:
        """Who has made no progress for too long. Each is logged once, until it goes on."""
        now = monotonic()
        calls: dict[str, list[int]] = {}
        for call in self._scheduler.calls():
            calls.setdefault(call.node_name, []).append(call.thread)
        stalls = []
        for name, node in self._nodes.items():
            since = self._without_progress_since(node, name in calls, now)
            if since is None or now - since < self._seconds:
                self._told.discard(name)
                continue
            stalls.append(self._stall(node, now - since, calls.get(name, ())))
        for stall in stalls:
            self._tell(stall)
        return tuple(stalls)

    def _without_progress_since(self, node: Node, in_call: bool, now: float) -> float | None:
        """None: it has nothing to do."""
        if not in_call and not any(port.queued > 0 for port in node.inputs):
            self._seen.pop(node.name, None)
            return None
        progress = node.calls + node.rows_done
        seen = self._seen.get(node.name)
        if seen is None or seen[0] != progress:
            self._seen[node.name] = seen = (progress, now)
        return seen[1]

    def _stall(self, node: Node, seconds: float, threads: Iterable[int]) -> Stall:
        frames = sys._current_frames()
        stacks = tuple(_stack_of(frames[thread]) for thread in threads if thread in frames)
        return Stall(
            node=node.name,
            unit=node.description.name,
            seconds=round(seconds, 3),
            reason=self._reason(node, bool(stacks)),
            stacks=stacks,
        )

    def _reason(self, node: Node, in_call: bool) -> str:
        if in_call:
            return "its unit has not returned"
        for job, port in tuple(self._scheduler.parked.items()):
            if job.node is node:
                waits_for = port.node
                return f"it waits for room at node '{getattr(waits_for, 'name', '?')}'"
        if len(node.inputs) > 1 and not all(port.queued for port in node.inputs):
            missing = ", ".join(port.name for port in node.inputs if not port.queued)
            return f"it waits for data at its other inputs: {missing}"
        return "it waits for an end of its stream, an event, or a thread"

    def _tell(self, stall: Stall) -> None:
        if stall.node in self._told:
            return
        self._told.add(stall.node)
        words = (
            f"node '{stall.node}' ({stall.unit}) has made no progress for {stall.seconds:.1f} s: {stall.reason}"
        )
        log.warning("%s", "\n".join((words, *stall.stacks)))


def _stack_of(frame: object) -> str:
    return "".join(traceback.format_stack(frame))  # type: ignore[arg-type]
