"""Runs plans without an event loop: sessions in, what reached the sinks out."""

import threading
from collections.abc import Sequence
from typing import Any

from server.flow.description import ConditionType, FlowType, OutputType, UnitDescription
from server.flow.plan import Plan, PlanEdge, PlanNode
from server.flow.run.build import build_nodes
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
    "Fork": {"flow_type": FlowType.NORMAL, "default_batch_size": 8, "max_batch_size": 0},
    "Returns": {"flow_type": FlowType.NORMAL, "default_batch_size": 8, "max_batch_size": 0},
    "Nothing": {"flow_type": FlowType.NORMAL, "default_batch_size": 8, "max_batch_size": 0},
    "ReadsStreamMeta": {"flow_type": FlowType.NORMAL, "default_batch_size": 8, "max_batch_size": 0},
    "Number": {"flow_type": FlowType.STREAM, "max_batch_size": 0},
    "Trace": {"flow_type": FlowType.STREAM, "max_batch_size": 0},
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
        return [context.get_private("sunk") for context in self.contexts]

    @property
    def traces(self) -> list[list[object]]:
        return [context.get_private("trace") for context in self.contexts]

    def _start(self) -> None:
        for node in self.nodes.values():
            node.start()

    def _feed(self, number: int, texts: Sequence[str], close: bool) -> None:
        context = SessionContext()
        context.set_private("sunk", [])
        context.set_private("trace", [])
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


def run(plan: Plan, *sessions: Sequence[str]) -> Run:
    """Runs to the end of all sessions, or of the flow."""
    return Run(plan, sessions).wait()
