"""Loop units (spec 3.3 rule 6, 4.4, 4.5): a whole stream at a time, which goes round again or leaves."""

from server.flow.run.calls import Outcome
from server.flow.run.ports import InPort
from server.flow.run.stream import Stream, StreamCall, StreamNode
from server.flow.run.streams import Row, RowKind, Scope, TokenKind, kind_of, merged_meta, token_at
from server.flow.status import StatusCode
from server.flow.unitapi import Buffer


class LoopPort(InPort):
    """Takes the stream from before the loop and, round by round, the same stream from the way back. A round
    begins when the one before has come back as a whole, so their tokens never mix."""

    joins = False


class LoopStream(Stream):
    """One round of one stream. `rows` are gathered until the end is there."""

    node: "LoopNode"

    def __init__(self, node: StreamNode, scope: Scope) -> None:
        super().__init__(node, scope)
        self._end: Row | None = None

    def add(self, row: Row) -> None:
        # gathered here, however long: the queue in front must not hold it back
        self.node.taken(1)
        if row[0].kind is TokenKind.END:
            self._end = row
            self.schedule()
        else:
            self.rows.append(row)

    def post_event(self, event: object) -> None:
        """Ignored, as for all normal units (spec 4.9)."""

    def take(self) -> StreamCall | None:
        self.is_ready = False
        if self._end is None or self.busy or self.is_over or self.node.park(self):
            return None
        visible = [row for row in self.rows if self._kind(row) is RowKind.DATA]
        if visible:
            return self._call(visible, None, None)
        self._leave(self.node.exit_port, [])
        return None

    def finished(self, call: StreamCall) -> None:
        self.busy = False
        self.node.note_call(call.seconds)
        if call.outcome.ends_flow:
            words = call.outcome.message or call.outcome.code.text
            self.node.fail(StatusCode.STOP, f"node '{self.node.name}': {words}")
            return
        count = len(call.rows)
        if call.outcome.code is StatusCode.CONTINUE:
            self._leave(self.node.exit_port, [None] * count)
        elif call.outcome.code is not StatusCode.SUCCESS:
            self._leave(self.node.exit_port, self._errors(call.outcome, count))
        else:
            self._choose(count)

    def _choose(self, count: int) -> None:
        outputs = [list(self.context.output(name) or ()) for name in self.node.output_names]
        for number, buffers in enumerate(outputs):
            if len(buffers) == count and not any(other for other in outputs if other is not buffers):
                self._leave(number, [*buffers])
                return
        found = ", ".join(
            f"{len(buffers)} on {out.name}" for out, buffers in zip(self.node.outputs, outputs, strict=True)
        )
        words = f"a loop unit must put the whole stream, {count} buffers, on one port; there are {found}"
        self.node.fail(StatusCode.STOP, f"node '{self.node.name}': {words}")

    def _errors(self, outcome: Outcome, count: int) -> list[Buffer | None]:
        # by the exit and not, as ModelBox has it, by the first port in name order: that may be the way back
        return [self.node.process_error(outcome) for _ in range(count)]

    def _kind(self, row: Row) -> RowKind:
        return kind_of(row, self.node.description.exception_visible)

    def _leave(self, number: int, buffers: list[Buffer | None]) -> None:
        assert self._end is not None
        out = self.node.outputs[number]
        results = iter(buffers)
        rows = [*self.rows]
        # first of all: an output that leads straight back begins the next round here
        self.node.forget(self)
        for row in rows:
            meta = self.node.with_override(self.context, out.name, merged_meta(row))
            kind = self._kind(row)
            buffer = next(results) if kind is RowKind.DATA else None
            if kind is RowKind.ERROR:
                buffer = self.node.passed_error(row)
            if buffer is None:
                out.emit(token_at(TokenKind.HOLE, row[0].position(), meta))
            else:
                self.node.emit_data(out, row[0].position(), buffer, meta)
        self.node.emit_end(out, self._end[0].position(), merged_meta(self._end))
        self.node.done([*rows, self._end])
        self.scope.session.release()


class LoopNode(StreamNode):
    stream_class = LoopStream
    port_class = LoopPort
    exit_port = 0
    """The number of the output port that does not lead back."""

    def prepare(self) -> None:
        super().prepare()
        self._overrides = {"data_pre": False, "data_post": False}
