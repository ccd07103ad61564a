"""Runs plans without an event loop: sessions in, what reached the sinks out."""

import threading
from collections import deque
from collections.abc import Sequence
from typing import Any

from server.flow.description import ConditionType, FlowType, OutputType, UnitDescription
from server.flow.plan import NodeKind, Plan, PlanEdge, PlanNode
from server.flow.run.build import build_nodes
from server.flow.run.inputs import InputFeed, InputNode
from server.flow.run.outlet import Wait
from server.flow.run.scheduler import Scheduler
from server.flow.run.source import SourceNode
from server.flow.run.streams import Session
from server.flow.status import StatusCode
from server.flow.unitapi import Buffer, Configuration, SessionContext

SECONDS = 10

KINDS: dict[str, dict[str, Any]] = {
    "Src": {"inputs": (), "flow_type": FlowType.NORMAL},
    "Sink": {"outputs": (), "exception_visible": True, "flow_type": FlowType.STREAM},
    "BlindSink": {"outputs": (), "flow_type": FlowType.STREAM},
    "Add": {"flow_type": FlowType.NORMAL, "default_batch_size": 8, "max_batch_size": 0},
    "Returns": {"flow_type": FlowType.NORMAL, "default_batch_size": 8, "max_batch_size": 0},
    "Number": {"flow_type": FlowType.STREAM, "max_batch_size": 0},
    "Join2": {
        "inputs": ("in_1", "in_2"),
        "flow_type": FlowType.NORMAL,
        "default_batch_size": 8,
        "max_batch_size": 0,
    },
    "OddEven": {
        "outputs": ("odd", "even"),
        "flow_type": FlowType.NORMAL,
        "condition": ConditionType.IF_ELSE,
    },
    "Split": {"flow_type": FlowType.NORMAL, "output_type": OutputType.EXPAND},
    "SplitByEvents": {"flow_type": FlowType.STREAM, "output_type": OutputType.EXPAND},
    "Turn": {"outputs": ("again", "done"), "flow_type": FlowType.NORMAL, "condition": ConditionType.LOOP},
    "Fails": {"flow_type": FlowType.STREAM},
    "Glue": {"flow_type": FlowType.NORMAL, "output_type": OutputType.COLLAPSE},
}


class Graph:
    """A plan in the making. `add` returns the node's name."""

    def __init__(self) -> None:
        self._nodes: list[PlanNode] = []
        self._edges: list[PlanEdge] = []

    def add(
        self, kind: str, *sources: str | Sequence[str], options: dict[str, str] | None = None, **more: Any
    ) -> str:
        """One source for each input port, as `node` or `node:port`; a list of them for a join of branches."""
        described = {
            "name": kind,
            "description": "for tests",
            "entry": f"tests.flow.run.units:{kind}",
            "inputs": ("in_1",),
            "outputs": ("out_1",),
            **KINDS.get(kind, {}),
            **more,
        }
        unit = UnitDescription(**described)
        name = f"n{len(self._nodes)}_{kind}"
        self._nodes.append(
            PlanNode(name=name, unit=unit, inputs=unit.inputs, outputs=unit.outputs, options=options or {})
        )
        for port, source in zip(unit.inputs, sources, strict=True):
            for end in [source] if isinstance(source, str) else source:
                node, _, out = end.partition(":")
                self._edges.append(
                    PlanEdge(source=node, source_port=out or "out_1", target=name, target_port=port)
                )
        return name

    def add_input(self) -> str:
        """A `type=input` node; returns its only port."""
        self._nodes.insert(0, PlanNode(name="in", kind=NodeKind.INPUT, outputs=("in",)))
        return "in:in"

    def add_output(self, source: str) -> None:
        """A `type=output` node."""
        self._nodes.append(PlanNode(name="out", kind=NodeKind.OUTPUT, inputs=("out",)))
        self.link(source, "out", "out")

    def link(self, source: str, target: str, port: str) -> None:
        node, _, out = source.partition(":")
        self._edges.append(PlanEdge(source=node, source_port=out or "out_1", target=target, target_port=port))

    def plan(self) -> Plan:
        return Plan(name="test", nodes=tuple(self._nodes), edges=tuple(self._edges))


class Run:
    """One run of a plan. `sunk` has, for each session, what its sinks got."""

    def __init__(self, plan: Plan, sessions: Sequence[Sequence[str]], close: bool = True) -> None:
        self.ended: tuple[StatusCode, str] | None = None
        self.contexts: list[SessionContext] = []
        self.errors: list[tuple[str, str] | None] = [None] * len(sessions)
        self._left = len(sessions)
        self._is_over = threading.Event()
        self.scheduler = Scheduler("test", 16)
        self.nodes = build_nodes(plan, self.scheduler, self, None)
        for node in self.nodes.values():
            node.unit.open(Configuration(node.plan.options))
        self.scheduler.start(lambda error: self.end(StatusCode.INTERNAL, repr(error)))
        self.scheduler.post(self._start)
        self.source = next(node for node in self.nodes.values() if isinstance(node, SourceNode))
        for number, texts in enumerate(sessions):
            self._feed(number, texts, close)

    def end(self, code: StatusCode, message: str) -> None:
        self.ended = self.ended or (code, message)
        self._is_over.set()

    def wait(self) -> "Run":
        try:
            assert self._is_over.wait(SECONDS), f"{self._left} sessions did not end"
        finally:
            self.scheduler.stop()
        return self

    @property
    def sunk(self) -> list[list[str]]:
        return [list(context.get_private("sunk")) for context in self.contexts]

    def _start(self) -> None:
        for node in self.nodes.values():
            node.start()

    def _feed(self, number: int, texts: Sequence[str], close: bool) -> None:
        context = SessionContext()
        # no list: a session keeps those by value (spec 5.10)
        context.set_private("sunk", deque())
        self.contexts.append(context)

        def is_over(session: Session) -> None:
            self.errors[number] = session.error
            self._left -= 1
            if not self._left:
                self._is_over.set()

        feed = self.source.begin(context, is_over)
        buffers = [Buffer(None, text) for text in texts]
        feed._close_posted = close
        self.scheduler.post(lambda: feed.start(buffers, close))


class ProgramRun(Run):
    """The same by input and output nodes: `results` has, for each session, what a program receives."""

    def __init__(self, plan: Plan, sessions: Sequence[Sequence[str]]) -> None:
        self.ended = None
        self.scheduler = Scheduler("test", 16)
        self.nodes = build_nodes(plan, self.scheduler, self, None)
        for node in self.nodes.values():
            node.unit.open(Configuration(node.plan.options))
        self.scheduler.start(lambda error: self.end(StatusCode.INTERNAL, repr(error)))
        self.scheduler.post(self._start)
        self._input = next(node for node in self.nodes.values() if isinstance(node, InputNode))
        self._feeds = [self._input.begin(SessionContext()) for _ in sessions]
        # in turns, so that the sessions mix
        for number in range(max(map(len, sessions))):
            for feed, texts in zip(self._feeds, sessions, strict=True):
                if number < len(texts):
                    assert feed.send("in", [Buffer(None, texts[number])])
        for feed in self._feeds:
            feed.close()

    def end(self, code: StatusCode, message: str) -> None:
        self.ended = self.ended or (code, message)
        self._input.stop(message)

    def results(self) -> list[list[str]]:
        try:
            return [self._received(feed) for feed in self._feeds]
        finally:
            self.scheduler.stop()

    def _received(self, feed: InputFeed) -> list[str]:
        found: list[str] = []
        while True:
            wait, buffer = feed.outlet.take("out", SECONDS)
            assert wait is not Wait.TIMED_OUT, "a session did not end"
            if buffer is None:
                return found
            found.append(f"!{buffer.get_error_code()}" if buffer.has_error() else str(buffer))


def run(plan: Plan, *sessions: Sequence[str]) -> Run:
    """Runs to the end of all sessions, or of the flow."""
    return Run(plan, sessions).wait()
