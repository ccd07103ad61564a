"""What an engine needs of the flow package, behind an interface: tests put flows of their own in its place."""

import importlib
from typing import Protocol

from server.flow.counters import NodeCounters, Stall
from server.flow.limits import FlowLimits
from server.flow.listeners import Endpoint, Listeners
from server.flow.plan import Plan
from server.flow.status import StatusCode
from server.tracing import Tracing

DEFAULT_RUNTIME = "server.engines.flow_runtime:FlowRuntime"


class FlowEnd(Protocol):
    @property
    def code(self) -> StatusCode: ...

    @property
    def message(self) -> str: ...


class RunningFlow(Protocol):
    @property
    def endpoints(self) -> tuple[Endpoint, ...]: ...

    def counters(self) -> tuple[NodeCounters, ...]: ...

    def stalls(self) -> tuple[Stall, ...]: ...

    def scheduler_status(self) -> str:
        """One of the words of spec 9."""

    async def next_stalls(self) -> tuple[Stall, ...]:
        """Waits, once it is open, until the flow stalls, or, the next time, goes on again: nobody stalls then."""

    def be_traced(self, tracing: Tracing) -> None:
        """Requests are to be traced. Called before it is opened, and only when traces are wanted."""

    async def open(self) -> None:
        """Raises: server.flow.status.FlowError."""

    async def prepare(self) -> None:
        """The first part of `open`, for an engine that is to take over from another: everything is opened and
        claimed, nothing is accepted, and no source begins. Raises: server.flow.status.FlowError."""

    async def start(self) -> None:
        """The rest of `open`, after `prepare`. Raises: server.flow.status.FlowError."""

    def give_way(self) -> None:
        """Accepts nothing more, ends the sources, and hands connections over to the engine that takes over, now
        and until it is stopped. What is under way goes on."""

    async def ended(self) -> FlowEnd: ...

    async def stop(self, grace: float) -> None: ...


class Runtime(Protocol):
    def warm_up(self) -> None:
        """Called once in the engine host: imports and first calls that every engine would pay for. Must start no
        thread and open no socket that outlives the call."""

    def compile(self, graph_format: str, source: str) -> Plan:
        """Called in a thread of the engine. Raises: server.flow.status.FlowError."""

    def flow(self, plan: Plan, listeners: Listeners, limits: FlowLimits) -> RunningFlow: ...


def load_runtime(name: str) -> Runtime:
    """The runtime of "module:class"."""
    module, _, attribute = name.partition(":")
    runtime: Runtime = getattr(importlib.import_module(module), attribute)()
    return runtime
