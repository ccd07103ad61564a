"""Nodes whose units see each stream in order, with state: stream units, and stream expand units (spec 4.4-4.9).

Each stream is a job of its own: its calls never overlap, those of different streams do.
"""

import logging
from collections import deque
from time import perf_counter
from typing import ClassVar

from server.flow.run.calls import SUCCESS, Outcome, call_unit
from server.flow.run.node import Node
from server.flow.run.receiving import ReceivingNode
from server.flow.run.streams import (
    Position,
    Row,
    RowKind,
    Scope,
    TokenKind,
    kind_of,
    merged_meta,
    token_at,
)
from server.flow.status import StatusCode
from server.flow.unitapi import Buffer, BufferList, DataMeta, FlowUnitEvent

log = logging.getLogger("server.flow")


class StreamCall:
    """`rows` for one call of `process`, or one event, or, with neither, `data_post`."""

    def __init__(
        self, stream: "Stream", rows: list[Row], event: FlowUnitEvent | None, external: list[Buffer] | None
    ) -> None:
        self.stream = stream
        self.node = stream.node
        self.rows = rows
        self.event = event
        self.external = external
        self.quick = stream.node.quick
        self.outcome = SUCCESS
        self.pre_outcome: Outcome | None = None
        self.seconds = 0.0

    @property
    def is_post(self) -> bool:
        return not self.rows and self.event is None and self.external is None

    def run(self) -> None:
        node, context = self.stream.node, self.stream.context
        started = perf_counter()
        if self.is_post:
            context.begin({}, with_outputs=False)
            self.outcome = call_unit(
                f"{node.name}.data_post", node.unit.data_post, context, otherwise=StatusCode.FAULT
            )
            self.seconds = perf_counter() - started
            return
        inputs = node.input_lists(self.rows)
        if not self.stream.opened:
            self._open(inputs)
        if self.pre_outcome is None or self.pre_outcome.code is StatusCode.SUCCESS:
            external = None
            if self.external is not None:
                external = BufferList(node.device)
                external._buffers = self.external
            context.begin(inputs, external=external, event=self.event)
            self.outcome = call_unit(f"{node.name}.process", node.unit.process, context)
        self.seconds = perf_counter() - started

    def finish(self) -> None:
        self.stream.finished(self)

    def _open(self, inputs: dict[str, BufferList]) -> None:
        node, context = self.stream.node, self.stream.context
        if self.rows:
            context.input_streams(node.input_metas(self.rows[0]))
        if node.has("data_pre"):
            context.begin(inputs, with_outputs=False)
            self.pre_outcome = call_unit(
                f"{node.name}.data_pre", node.unit.data_pre, context, otherwise=StatusCode.FAULT
            )


class Stream:
    """One stream at one node: its queue, its context, and how far its outputs are."""

    def __init__(self, node: "StreamKeeper", scope: Scope) -> None:
        self.node = node
        self.scope = scope
        self.node_name = node.name
        self.unit_name = node.description.name
        self.context = node.context(scope.session, self)
        self.rows: deque[Row] = deque()
        self.events: deque[FlowUnitEvent] = deque()
        self.forced = False
        self.opened = False
        self.refused = False
        self.continues = False
        self.busy = False
        self.is_ready = False
        self.is_over = False
        """Ended and forgotten. A stream may be queued twice, once as ready and once from waiting for room."""
        self.last_place: Position | None = None
        self.meta: DataMeta | None = None
        self.lengths = [0] * len(node.outputs)
        self._out_metas: dict[int, DataMeta | None] = {}
        scope.session.pending += 1

    def add(self, row: Row) -> None:
        self.rows.append(row)
        self.schedule()

    def post_event(self, event: FlowUnitEvent) -> None:
        """From unit code, on any thread."""
        if self.scope.session.shut:
            return
        # appended here and not by a worker: the call that sends it must find it there when it finishes
        self.events.append(event)
        self.node.scheduler.post(self._wake)

    def resume(self) -> None:
        self.schedule()

    def schedule(self) -> None:
        if not self.is_ready and not self.busy:
            self.is_ready = True
            self.node.scheduler.ready(self)

    def take(self) -> StreamCall | None:
        self.is_ready = False
        if self.busy or self.is_over or self.node.park(self):
            return None
        if (call := self._take_event()) is not None:
            return call
        while self.rows:
            row = self.rows[0]
            kind = kind_of(row, self.node.description.exception_visible)
            if kind is RowKind.DATA and not self.refused:
                return self._call(self._take_data(), None, None)
            if kind is RowKind.END:
                return self._take_end(row)
            self.rows.popleft()
            self.node.taken(1)
            self.pass_on(row, kind)
            self.node.done([row])
        return None

    def pass_on(self, row: Row, kind: RowKind) -> None:
        """A position that the unit does not see."""
        meta = self.note_inputs(row)
        if self.refused and kind is RowKind.DATA:
            return
        if kind is RowKind.ERROR:
            self.node.note_sink_error(row)
            self.emit_outputs([[self.node.passed_error(row)] for _ in self.node.outputs], [row], meta)
            return
        for number, out in enumerate(self.node.outputs):
            out.emit(token_at(TokenKind.HOLE, self._next_place(number, row[0].outer), meta))

    def finished(self, call: StreamCall) -> None:
        self.busy = False
        self.node.note_call(call.seconds)
        if call.is_post:
            self._finish_post(call.outcome)
            return
        if not self.opened:
            self.opened = True
            if call.pre_outcome is not None and call.pre_outcome.code is not StatusCode.SUCCESS:
                self._refuse(call, call.pre_outcome)
                return
        if call.outcome.ends_flow:
            words = call.outcome.message or call.outcome.code.text
            self.node.fail(StatusCode.STOP, f"node '{self.node.name}': {words}")
            return
        self.continues = call.outcome.code is StatusCode.CONTINUE
        outputs = self._outputs(call)
        if not self.node.counts_are_equal(outputs):
            return
        self.results(call, outputs)
        self.node.done(call.rows)
        self.go_on()

    def results(self, call: StreamCall, outputs: list[list[Buffer]]) -> None:
        self.emit_outputs(outputs, call.rows, self.note_inputs(call.rows[-1]) if call.rows else self.meta)

    def emit_outputs(self, outputs: list[list[Buffer]], rows: list[Row], meta: DataMeta | None) -> None:
        for number, (out, buffers) in enumerate(zip(self.node.outputs, outputs, strict=True)):
            mine = self.out_meta(number, meta)
            for index, buffer in enumerate(buffers):
                # as many out as in: each takes the place of its own input, else that of the last one
                outer = rows[index][0].outer if len(buffers) == len(rows) else self._last_outer()
                self.node.emit_data(out, self._next_place(number, outer), buffer, mine)

    def out_meta(self, number: int, meta: DataMeta | None) -> DataMeta | None:
        """That of the stream that leaves by a port; the unit's first output decides it (spec 4.3)."""
        if number in self._out_metas:
            return self._out_metas[number]
        mine = self.node.with_override(self.context, self.node.outputs[number].name, meta)
        if self.opened:
            self._out_metas[number] = mine
        return mine

    def note_inputs(self, row: Row) -> DataMeta | None:
        self.last_place = row[0].position()
        if self.meta is None:
            self.meta = merged_meta(row)
        return self.meta

    def go_on(self) -> None:
        if self.rows or self.events or self.scope.session.shut:
            self.schedule()
        elif self.continues:
            self.scope.session.waiting.add(self)

    def has_ended(self) -> None:
        """After the end: sends it on and forgets the stream."""
        row = self.rows.popleft()
        self.node.taken(1)
        meta = self.note_inputs(row)
        for number, out in enumerate(self.node.outputs):
            place = Position(self.scope, self.lengths[number], row[0].outer)
            out.emit(token_at(TokenKind.END, place, self.out_meta(number, meta)))
        self.node.forget(self)
        self.node.done([row])
        self.scope.session.release()

    def _wake(self) -> None:
        if self.node.knows(self):
            self.schedule()

    def _call(self, rows: list[Row], event: FlowUnitEvent | None, external: list[Buffer] | None) -> StreamCall:
        self.busy = True
        self.scope.session.waiting.discard(self)
        return StreamCall(self, rows, event, external)

    def _take_event(self) -> StreamCall | None:
        if not self.events:
            return None
        if self.refused or self.scope.session.shut:
            self.events.clear()
            return None
        return self._call([], self.events.popleft(), None)

    def _take_data(self) -> list[Row]:
        """Consecutive positions that the unit sees, at most a batch."""
        taken: list[Row] = []
        visible = self.node.description.exception_visible
        while self.rows and len(taken) < self.node.max_batch:
            if taken and kind_of(self.rows[0], visible) is not RowKind.DATA:
                break
            taken.append(self.rows.popleft())
        self.node.taken(len(taken))
        return taken

    def _take_end(self, row: Row) -> StreamCall | None:
        if self.continues and not self.scope.session.shut:
            self.scope.session.waiting.add(self)
            return None
        if self.opened and self.node.has("data_post"):
            return self._call([], None, None)
        self.has_ended()
        return None

    def _finish_post(self, outcome: Outcome) -> None:
        if outcome.ends_flow:
            code = StatusCode.STOP if outcome.code is StatusCode.STOP else StatusCode.FAULT
            words = outcome.message or outcome.code.text
            self.node.fail(code, f"node '{self.node.name}': data_post: {words}")
            return
        if outcome.code is not StatusCode.SUCCESS:
            # only logged: the stream's outputs are sent already (spec 4.8)
            log.warning("%s.data_post failed: %s", self.node.name, outcome.message or outcome.code.text)
            self.node.errors += 1
        self.has_ended()

    def _refuse(self, call: StreamCall, outcome: Outcome) -> None:
        """data_pre failed: one error instead of all that the stream would have given (spec 4.8)."""
        self.refused = True
        self.node.errors += 1
        buffer = Buffer(self.node.device)
        buffer.set_error(f"{self.unit_name}.DataPreError", outcome.message or outcome.code.text)
        if not self.node.outputs:
            self.scope.session.error = (buffer.get_error_code(), buffer.get_error_msg())
        self.results(call, [[Buffer(buffer)] for _ in self.node.outputs])
        self.node.done(call.rows)
        self.go_on()

    def _outputs(self, call: StreamCall) -> list[list[Buffer]]:
        if call.outcome.code in (StatusCode.SUCCESS, StatusCode.CONTINUE):
            return [list(self.context.output(name) or ()) for name in self.node.output_names]
        error = self.node.process_error(call.outcome)
        if not self.node.outputs:
            self.scope.session.error = (error.get_error_code(), error.get_error_msg())
        return [[Buffer(error)] for _ in self.node.outputs]

    def _next_place(self, number: int, outer: Position | None) -> Position:
        index = self.lengths[number]
        self.lengths[number] = index + 1
        return Position(self.scope, index, outer)

    def _last_outer(self) -> Position | None:
        return self.last_place.outer if self.last_place else None


class StreamKeeper(Node):
    """A node that has streams, wherever they come from: its inputs, or whoever feeds it."""

    def prepare(self) -> None:
        self._streams: dict[Scope, Stream] = {}

    def knows(self, stream: Stream) -> bool:
        return self._streams.get(stream.scope) is stream

    def forget(self, stream: Stream) -> None:
        stream.is_over = True
        self._streams.pop(stream.scope, None)


class StreamNode(StreamKeeper, ReceivingNode):
    stream_class: ClassVar[type[Stream]] = Stream

    def accept_row(self, row: Row) -> None:
        scope = row[0].scope
        stream = self._streams.get(scope)
        if stream is None:
            stream = self._streams[scope] = self.stream_class(self, scope)
        stream.add(row)
