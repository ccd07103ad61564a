"""What all nodes have in common: ports, the unit, counters, how a unit's outputs become tokens. Nodes with inputs:
`receiving`."""

from time import time
from typing import TYPE_CHECKING, Protocol

from server.flow.description import UnitDescription
from server.flow.plan import PlanNode
from server.flow.run.calls import Outcome
from server.flow.run.ports import InPort, OutPort
from server.flow.run.streams import Position, Row, Session, Token, TokenKind, error_of
from server.flow.status import StatusCode
from server.flow.unitapi import (
    Buffer,
    BufferList,
    Configuration,
    DataContext,
    DataMeta,
    Device,
    FlowUnit,
    FlowUnitEvent,
)
from server.flow.unitapi.context import ContextOwner
from server.tally import SHORT_SECONDS, Tally

if TYPE_CHECKING:
    from server.flow.run.scheduler import Job, Scheduler
    from server.flow.unitapi.flowunit import Source


FAST_SECONDS = 0.0003
"""About what it costs to give something to another thread, twice, on a busy machine."""


class FlowEnder(Protocol):
    """Ends the whole flow. Called with the lock held; the first call counts."""

    def end(self, code: StatusCode, message: str) -> None: ...


class Node:
    """`max_batch` is the number of buffers that a call gets at most. Everything but `unit` is guarded by the
    scheduler's lock."""

    names_sessions = False
    """Whether a profile wants to know all sessions that a call's buffers belong to."""

    def __init__(
        self, plan: PlanNode, unit: FlowUnit, scheduler: "Scheduler", ender: FlowEnder, max_batch: int
    ) -> None:
        assert plan.unit is not None
        self.name = plan.name
        self.plan = plan
        self.unit = unit
        self.description: UnitDescription = plan.unit
        self.scheduler = scheduler
        self.device = Device(plan.device, plan.device_id)
        self.max_batch = max_batch
        self.services: object = None
        self.inputs: list[InPort] = []
        self.outputs = [OutPort(name) for name in plan.outputs]
        self.output_names = tuple(plan.outputs)
        self.calls = 0
        self.quick = unit.quick and not plan.unit.directory
        self.is_fast = False
        self._fast_score = 0
        self.rows_done = 0
        self.seconds = 0.0
        self.durations = Tally(SHORT_SECONDS)
        self.errors = 0
        self.last_activity = 0.0
        self._ender = ender
        self._check_output = Configuration(plan.options).get_bool("need_check_output")
        self._overrides = {
            name: getattr(type(unit), name) is not getattr(FlowUnit, name) for name in ("data_pre", "data_post")
        }
        unit._attach(self)

    def prepare(self) -> None:
        """Sets up what a kind of node keeps. Called once, before any token."""

    def start(self) -> None:
        """All units are open. With the lock held."""

    def has(self, method: str) -> bool:
        """Whether the unit defines `data_pre` or `data_post`."""
        return self._overrides[method]

    @property
    def is_through(self) -> bool:
        """Whether it is a source that has begun something, and all of that is through."""
        return False

    def open_source(self) -> "Source | None":
        return None

    def taken(self, rows: int) -> None:
        """Rows left the queues and are being worked on."""
        for port in self.inputs:
            port.taken(rows)

    def done(self, rows: list[Row]) -> None:
        """Rows are through, and what came of them has been sent."""
        self.rows_done += len(rows)
        for row in rows:
            row[0].scope.session.release(len(row))

    def park(self, job: "Job") -> bool:
        """Whether `job` has to wait because a queue behind this node is full."""
        if job.forced:
            job.forced = False
            return False
        if job in self.scheduler.parked:
            return True
        for out in self.outputs:
            port = out.full()
            if port is not None:
                port.waiters.append(job)
                self.scheduler.park(job, port)
                return True
        return False

    def fail(self, code: StatusCode, message: str) -> None:
        self.errors += 1
        self._ender.end(code, message)

    def context(self, session: Session, owner: ContextOwner) -> DataContext:
        return DataContext(session.context, owner, self.device, self.output_names)

    def input_lists(self, rows: list[Row]) -> dict[str, BufferList]:
        lists = {}
        for number, port in enumerate(self.inputs):
            buffers = BufferList(self.device)
            buffers._buffers = [row[number].buffer for row in rows]  # type: ignore[misc]
            lists[port.name] = buffers
        return lists

    def input_metas(self, row: Row) -> dict[str, DataMeta]:
        return {
            port.name: token.meta for port, token in zip(self.inputs, row, strict=True) if token.meta is not None
        }

    def note_call(self, seconds: float) -> None:
        self.calls += 1
        self.seconds += seconds
        self.durations.note(seconds)
        self._judge(seconds)
        self.last_activity = time()

    def _judge(self, seconds: float) -> None:
        """Whether calls of this unit are so fast that a second thread would only be in the way. One that waits for
        something, if only for a millisecond, is not: others may run meanwhile."""
        if seconds < FAST_SECONDS:
            self._fast_score = min(self._fast_score + 1, 16)
        else:
            self._fast_score = max(self._fast_score - 4, 0)
        self.is_fast = self._fast_score >= 8

    def counts_are_equal(self, outputs: list[list[Buffer]]) -> bool:
        """With `need_check_output`, all ports must hold as many buffers as the first (spec 4.7)."""
        if not self._check_output or not outputs:
            return True
        for out, buffers in zip(self.outputs, outputs, strict=True):
            if len(buffers) != len(outputs[0]):
                words = f"Output port {out.name} data is not same with other port"
                self.fail(StatusCode.STOP, f"node '{self.name}': {words}")
                return False
        return True

    def with_override(self, context: DataContext, port: str, meta: DataMeta | None) -> DataMeta | None:
        """The meta of an output stream: inherited, overlaid by what the unit set (spec 4.3)."""
        own = context.output_meta_of(port)
        if own is None:
            return meta
        return own if meta is None else meta.overlaid(own)

    def process_error(self, outcome: Outcome) -> Buffer:
        """What a call that failed sends instead of its outputs (spec 4.11)."""
        self.errors += 1
        buffer = Buffer(self.device)
        buffer.set_error(f"{self.description.name}.ProcessError", outcome.message or outcome.code.text)
        return buffer

    def passed_error(self, row: Row) -> Buffer:
        """The error of a row that the unit does not see, for the outputs at this position."""
        source = error_of(row)
        assert source is not None
        buffer = Buffer(self.device)
        buffer._error = source._error
        return buffer

    def note_sink_error(self, row: Row) -> None:
        """An error that ends at a node without outputs is its session's error (spec 4.11)."""
        source = error_of(row)
        if not self.outputs and source is not None:
            row[0].scope.session.error = (source.get_error_code(), source.get_error_msg())

    def emit_data(self, out: OutPort, place: Position, buffer: Buffer, meta: DataMeta | None) -> None:
        if buffer._error is not None and buffer._error[2] is None:
            code, message, _ = buffer._error
            buffer._error = (code, message, place.scope.depth)
        out.emit(Token(place.scope, place.index, TokenKind.DATA, buffer, meta, place.outer))

    def emit_end(self, out: OutPort, place: Position, meta: DataMeta | None) -> None:
        out.emit(Token(place.scope, place.index, TokenKind.END, None, meta, place.outer))

    def emit_mark(self, kind: TokenKind, place: Position, meta: DataMeta | None = None) -> None:
        """Sends an END or a HOLE by every port."""
        for out in self.outputs:
            out.emit(Token(place.scope, place.index, kind, None, meta, place.outer))


class NodeOwner:
    """Owner of the contexts of calls that belong to no stream: normal units cannot send themselves events."""

    def __init__(self, node: Node) -> None:
        self.node_name = node.name
        self.unit_name = node.description.name

    def post_event(self, event: FlowUnitEvent) -> None:
        """Ignored, as in ModelBox (spec 4.9)."""
