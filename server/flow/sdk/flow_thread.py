"""A flow, and the event loop that it lives on, for programs that have none of their own."""

import asyncio
import os
import sys
import threading
from collections.abc import Coroutine, Mapping
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

import uvloop

from server.flow.flow import Flow, FlowEnd
from server.flow.limits import FlowLimits
from server.flow.own_listeners import OwnListeners
from server.flow.plan import Plan
from server.flow.run.build import UnitMaker
from server.flow.run.inputs import InputFeed
from server.flow.secrets import ALL_SECRETS
from server.flow.status import FlowError
from server.flow.unitapi import SessionContext

GRACE_SECONDS = 1.0
"""What `stop` leaves to what is in flight (spec 1.5)."""
LOOK_SECONDS = 0.5
"""How often a flow looks whether its program has failed."""

Result = TypeVar("Result")


class FlowThread:
    """All methods wait for the flow's loop, and may be called from any thread but that one's."""

    def __init__(self, plan: Plan, makers: Mapping[str, UnitMaker]) -> None:
        self.end: Future[FlowEnd] = Future()
        """Set when the flow has ended by itself, cancelled when it was stopped."""
        self._pid = os.getpid()
        self._loop = uvloop.new_event_loop()
        self._loop.call_later(LOOK_SECONDS, self._look_at_program)
        self._thread = threading.Thread(target=self._run, name="flow-loop", daemon=True)
        self._thread.start()
        self._flow = Flow(plan, OwnListeners(), FlowLimits(secrets=ALL_SECRETS), makers)
        self._watch: asyncio.Task[None] | None = None
        self._is_closed = False

    def build(self) -> None:
        """Raises: FlowError; the thread has ended then."""
        self._or_closed(self._flow.build())

    def start(self) -> None:
        """Raises: as `build`."""
        self._or_closed(self._start())

    def begin(self, context: SessionContext) -> InputFeed | None:
        return self._flow.begin(context)

    def stop(self) -> None:
        """Ends the flow, closes its units and ends the thread. Again, or in a fork of the program, it does
        nothing."""
        if self._is_closed or os.getpid() != self._pid:
            return
        self._is_closed = True
        if threading.current_thread() is self._thread:
            # dropped by the garbage collector on this very loop, or the program failed: nobody to wait
            self._loop.create_task(self._stop()).add_done_callback(self._stopped_alone)
            return
        with suppress(RuntimeError):
            self._call(self._stop())
        self._end_thread()
        self.end.cancel()

    def _stopped_alone(self, task: asyncio.Task[None]) -> None:
        self.end.cancel()
        self._loop.stop()

    def _look_at_program(self) -> None:
        """Stops the flow of a program that failed: threads that wait in it, or that its units have until they are
        closed, would keep the process from ending."""
        if not threading.main_thread().is_alive() and getattr(sys, "last_value", None) is not None:
            self.stop()
        elif not self._is_closed:
            self._loop.call_later(LOOK_SECONDS, self._look_at_program)

    async def _start(self) -> None:
        await self._flow.start()
        self._watch = self._loop.create_task(self._note_end())

    async def _note_end(self) -> None:
        self.end.set_result(await self._flow.ended())

    async def _stop(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
        await self._flow.stop(GRACE_SECONDS)

    def _or_closed(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            self._call(work)
        except FlowError:
            self._is_closed = True
            self._end_thread()
            raise

    def _call(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _end_thread(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()
