"""Nodes whose units keep no state: normal and condition units (spec 4.4, 4.5, 4.7).

Several batches may run at once, and one may hold buffers of several streams. What comes of them leaves in the
order in which it was taken, stream by stream: a slow batch holds up only the streams that it has a part of.
"""

from collections import deque
from time import perf_counter

from server.flow.run.calls import Outcome, call_unit
from server.flow.run.node import Node, NodeOwner
from server.flow.run.ports import OutPort
from server.flow.run.receiving import ReceivingNode
from server.flow.run.streams import Position, Row, RowKind, Scope, TokenKind, kind_of, merged_meta, token_at
from server.flow.status import StatusCode
from server.flow.unitapi import Buffer, DataContext, DataMeta


class BatchCall:
    """Consecutive positions; `data` are those that the unit sees. `parts` are all of them by stream, each
    with its number in `data`."""

    def __init__(self, node: "BatchNode") -> None:
        self.node = node
        self.data: list[Row] = []
        self.parts: dict[Scope, list[tuple[RowKind, Row, int]]] = {}
        self.quick = node.quick
        self.outcome: Outcome | None = None
        self.outputs: list[list[Buffer]] = []
        self.is_finished = False
        self.seconds = 0.0
        self.context: DataContext | None = None

    def add(self, row: Row) -> None:
        kind = kind_of(row, self.node.description.exception_visible)
        self.parts.setdefault(row[0].scope, []).append((kind, row, len(self.data)))
        if kind is RowKind.DATA:
            self.data.append(row)

    def run(self) -> None:
        node, first = self.node, self.data[0]
        context = self.context = node.context(first[0].scope.session, node.owner)
        context.begin(node.input_lists(self.data))
        context.input_streams(node.input_metas(first))
        if node.names_sessions:
            context._sessions = tuple({row[0].scope.session.context: None for row in self.data})
        started = perf_counter()
        self.outcome = call_unit(f"{node.name}.process", node.unit.process, context)
        self.seconds = perf_counter() - started

    def finish(self) -> None:
        self.node.finished(self)


class BatchNode(ReceivingNode):
    """Normal units: as many buffers out as in, on every port."""

    forced = False

    @property
    def node(self) -> Node:
        """A batch node is its own job."""
        return self

    def prepare(self) -> None:
        self.owner = NodeOwner(self)
        self._rows: deque[Row] = deque()
        self._is_ready = False
        self._lines: dict[Scope, deque[BatchCall]] = {}
        """The calls that each stream has a part of, in the order of their positions."""
        self._metas: dict[Scope, list[DataMeta | None]] = {}
        """Those of the streams that leave, by port. The call that gives a stream's first buffer decides them."""
        self._held = 0
        """Positions that are done and wait for an earlier one of their stream."""

    def accept_row(self, row: Row) -> None:
        self._rows.append(row)
        self._schedule()

    def take(self) -> BatchCall | None:
        self._is_ready = False
        # whoever finishes the call that they wait for looks again
        if not self._rows or self._held >= self.inputs[0].capacity or self.park(self):
            return None
        call = BatchCall(self)
        count = 0
        while self._rows and len(call.data) < self.max_batch:
            call.add(self._rows.popleft())
            count += 1
        for scope in call.parts:
            self._lines.setdefault(scope, deque()).append(call)
        self.taken(count)
        if self._rows:
            self._schedule()
        if call.data:
            return call
        self.finished(call)
        return None

    def finished(self, call: BatchCall) -> None:
        outputs = self._outputs(call)
        if outputs is None:
            return
        call.outputs = outputs
        call.is_finished = True
        self._held += sum(len(part) for part in call.parts.values())
        for scope in call.parts:
            line = self._lines[scope]
            while line and line[0].is_finished:
                self._hand_on(line.popleft(), scope)
            if not line:
                del self._lines[scope]
        if self._rows:
            self._schedule()

    def _schedule(self) -> None:
        if not self._is_ready:
            self._is_ready = True
            self.scheduler.ready(self)

    def _hand_on(self, call: BatchCall, scope: Scope) -> None:
        part = call.parts[scope]
        self._held -= len(part)
        for kind, row, number in part:
            meta = merged_meta(row)
            if kind is RowKind.DATA:
                self.emit_row(call, row, number, meta)
            elif kind is RowKind.ERROR:
                self.note_sink_error(row)
                self.emit_error(row, self.passed_error(row), meta)
            else:
                self.emit_mark_row(row, meta)
                if kind is RowKind.END:
                    self._metas.pop(scope, None)
        self.done([row for _, row, _ in part])

    def _outputs(self, call: BatchCall) -> list[list[Buffer]] | None:
        """The unit's outputs, port by port; None when they end the flow."""
        if call.outcome is None:
            return []
        self.note_call(call.seconds)
        if call.outcome.ends_flow:
            self.fail(StatusCode.STOP, f"node '{self.name}': {call.outcome.message or call.outcome.code.text}")
            return None
        assert call.context is not None
        if call.outcome.code is StatusCode.SUCCESS:
            outputs = [list(call.context.output(name) or ()) for name in self.output_names]
            return outputs if self.count_is_right(len(call.data), outputs) else None
        if call.outcome.code is StatusCode.CONTINUE:
            return []
        return self.failed_outputs(call.outcome, len(call.data))

    def failed_outputs(self, outcome: Outcome, count: int) -> list[list[Buffer]]:
        return [[self.process_error(outcome) for _ in range(count)] for _ in self.outputs]

    def count_is_right(self, count: int, outputs: list[list[Buffer]]) -> bool:
        for out, buffers in zip(self.outputs, outputs, strict=True):
            if len(buffers) != count:
                words = f"input buffer count {count} should equal output buffer count {len(buffers)}"
                self.fail(StatusCode.STOP, f"node '{self.name}', port '{out.name}': {words}")
                return False
        return True

    def out_metas(self, call: BatchCall, row: Row, meta: DataMeta | None) -> list[DataMeta | None]:
        scope = row[0].scope
        decided = self._metas.get(scope)
        if decided is None:
            decided = [meta] * len(self.outputs)
            # of the streams in one call, a unit sees and speaks for the first (spec 4.3)
            if call.context is not None and call.data[0][0].scope is scope:
                decided = [self.with_override(call.context, out.name, meta) for out in self.outputs]
            self._metas[scope] = decided
        return decided

    def emit_row(self, call: BatchCall, row: Row, number: int, meta: DataMeta | None) -> None:
        place = row[0].position()
        if not call.outputs:
            # CONTINUE from a normal unit loses its outputs (spec 4.7); the place is kept, so that nobody waits
            self.emit_mark(TokenKind.HOLE, place, meta)
            return
        metas = self.out_metas(call, row, meta)
        for out, buffers, mine in zip(self.outputs, call.outputs, metas, strict=True):
            self.emit_data(out, place, buffers[number], mine)

    def emit_error(self, row: Row, buffer: Buffer, meta: DataMeta | None) -> None:
        for out in self.outputs:
            self.emit_data(out, row[0].position(), Buffer(buffer), meta)

    def emit_mark_row(self, row: Row, meta: DataMeta | None) -> None:
        self.emit_mark(row[0].kind if row[0].kind is TokenKind.END else TokenKind.HOLE, row[0].position(), meta)


class ConditionNode(BatchNode):
    """Each buffer leaves by exactly one port, into the stream of that branch."""

    def prepare(self) -> None:
        super().prepare()
        self._branches: dict[Scope, list[tuple[Scope, int]]] = {}

    def failed_outputs(self, outcome: Outcome, count: int) -> list[list[Buffer]]:
        return [[self.process_error(outcome)] if out is self._first_port() else [] for out in self.outputs]

    def count_is_right(self, count: int, outputs: list[list[Buffer]]) -> bool:
        total = sum(len(buffers) for buffers in outputs)
        if total == count:
            return True
        words = f"a condition must put each buffer on exactly one port, {total} were put for {count}"
        self.fail(StatusCode.STOP, f"node '{self.name}': {words}")
        return False

    def emit_row(self, call: BatchCall, row: Row, number: int, meta: DataMeta | None) -> None:
        if not call.outputs:
            self._emit_hole(row, meta)
            return
        metas = self.out_metas(call, row, meta)
        for port, (out, buffers) in enumerate(zip(self.outputs, call.outputs, strict=True)):
            for buffer in buffers:
                self.emit_data(out, self._branch_place(port, row), buffer, metas[port])

    def emit_error(self, row: Row, buffer: Buffer, meta: DataMeta | None) -> None:
        out = self._first_port()
        self.emit_data(out, self._branch_place(self.outputs.index(out), row), buffer, meta)

    def emit_mark_row(self, row: Row, meta: DataMeta | None) -> None:
        if row[0].kind is not TokenKind.END:
            self._emit_hole(row, meta)
            return
        for number, out in enumerate(self.outputs):
            place = self._branch_place(number, row)
            out.emit(token_at(TokenKind.END, place, meta))
        self._branches.pop(row[0].scope, None)

    def _emit_hole(self, row: Row, meta: DataMeta | None) -> None:
        out = self._first_port()
        out.emit(token_at(TokenKind.HOLE, self._branch_place(self.outputs.index(out), row), meta))

    def _branch_place(self, number: int, row: Row) -> Position:
        """The next place in the branch's own stream, which remembers where the buffer stood before."""
        origin = row[0].position()
        branches = self._branches.get(origin.scope)
        if branches is None:
            scope = origin.scope
            start = Position(scope, 0, origin.outer)
            branches = self._branches[scope] = [(Scope(scope.session, start), 0) for _ in self.outputs]
        scope, index = branches[number]
        branches[number] = (scope, index + 1)
        return Position(scope, index, origin)

    def _first_port(self) -> OutPort:
        return min(self.outputs, key=lambda out: out.name)
