"""Collapse units: each child stream becomes one buffer, at the place that it came from (spec 4.4-4.7).

Child streams may be worked on at the same time; their results leave in the order of the stream above.
"""

from server.flow.description import FlowType
from server.flow.run.calls import Outcome
from server.flow.run.stream import Stream, StreamCall, StreamNode
from server.flow.run.streams import Position, Row, RowKind, Scope, TokenKind, error_of, kind_of, token_at
from server.flow.status import StatusCode
from server.flow.unitapi import Buffer, DataMeta


class CollapseStream(Stream):
    """One child stream. `rows` holds what the unit has not been given yet, without holes and hidden errors."""

    node: "CollapseNode"

    def __init__(self, node: StreamNode, scope: Scope) -> None:
        super().__init__(node, scope)
        self._outputs_so_far: list[list[Buffer]] = [[] for _ in node.outputs]
        self._error: Buffer | None = None
        self._complete = False

    def add(self, row: Row) -> None:
        # the child stream is gathered here, however long: the queue in front must not hold it back
        self.node.taken(1)
        kind = kind_of(row, self.node.description.exception_visible)
        if kind is RowKind.END:
            self._complete = True
            self.note_inputs(row)
        elif kind is RowKind.ERROR:
            self._error = self._error or error_of(row)
            self.node.note_sink_error(row)
        if kind is RowKind.DATA:
            self.rows.append(row)
        else:
            self.node.done([row])
        self.schedule()

    def post_event(self, event: object) -> None:
        """Ignored: a collapse unit has no use for events (spec 4.9)."""

    def take(self) -> StreamCall | None:
        self.is_ready = False
        if self.busy or self.is_over or not self.node.may_run(self) or self.node.park(self):
            return None
        goes_on = self._error is None and not self.refused
        if goes_on and self.rows and (self._complete or not self.node.description.collapse_all):
            rows = list(self.rows)
            self.rows.clear()
            return self._call(rows, None, None)
        if not self._complete:
            return None
        if self.opened and self.node.has("data_post"):
            return self._call([], None, None)
        self._leave()
        return None

    def results(self, call: StreamCall, outputs: list[list[Buffer]]) -> None:
        self.note_inputs(call.rows[-1])
        if self.refused or call.outcome.code not in (StatusCode.SUCCESS, StatusCode.CONTINUE):
            # one failed call of several is the result of them all
            self._error = next((buffer for buffers in outputs for buffer in buffers), None)
            return
        for mine, buffers in zip(self._outputs_so_far, outputs, strict=True):
            mine.extend(buffers)

    def go_on(self) -> None:
        self.schedule()

    def has_ended(self) -> None:
        self._leave()

    def _finish_post(self, outcome: Outcome) -> None:
        self.opened = False
        super()._finish_post(outcome)

    def _drop_rows(self) -> None:
        self.node.done(list(self.rows))
        self.rows.clear()

    def _leave(self) -> None:
        self._drop_rows()
        for out, buffers in zip(self.node.outputs, self._outputs_so_far, strict=True):
            if len(buffers) > 1:
                words = f"should generate one buffer for one stream collapse, {len(buffers)} came"
                self.node.fail(StatusCode.STOP, f"node '{self.node.name}', port '{out.name}': {words}")
                return
        self.node.forget(self)
        self.node.deliver(self)

    def send(self, decided: dict[int, DataMeta | None]) -> None:
        """`decided`: the metas of the streams that leave, by port; the first result decides them (spec 4.3)."""
        parent = self.scope.parent
        assert parent is not None
        node = self.node
        for number, out in enumerate(node.outputs):
            buffers = self._outputs_so_far[number]
            if buffers and self._error is None and number not in decided:
                decided[number] = node.with_override(self.context, out.name, self.meta)
            meta = decided.get(number, self.meta)
            if self.scope.closing:
                out.emit(token_at(TokenKind.END, parent, meta))
            elif self._error is not None:
                error = Buffer(node.device)
                error._error = self._error._error
                node.emit_data(out, parent, error, meta)
            elif buffers:
                node.emit_data(out, parent, buffers[0], meta)
            else:
                out.emit(token_at(TokenKind.HOLE, parent, meta))
        self.scope.session.release()


class _Order:
    """The child streams of one stream: which comes next, and what waits for it."""

    def __init__(self) -> None:
        self.next = 0
        self.finished: dict[int, CollapseStream] = {}
        self.metas: dict[int, DataMeta | None] = {}
        self.streams: dict[int, CollapseStream] = {}


class CollapseNode(StreamNode):
    stream_class = CollapseStream

    def prepare(self) -> None:
        super().prepare()
        self._orders: dict[Scope, _Order] = {}
        self._one_by_one = self.description.flow_type is FlowType.STREAM

    def accept_row(self, row: Row) -> None:
        scope = row[0].scope
        super().accept_row(row)
        stream = self._streams.get(scope)
        if stream is not None and self._one_by_one:
            place = self._place(scope)
            self._order(place.scope).streams[place.index] = stream  # type: ignore[assignment]

    def may_run(self, stream: CollapseStream) -> bool:
        """A stream collapse unit gets one child stream after the other, in the order of their origins."""
        place = self._place(stream.scope)
        return not self._one_by_one or self._order(place.scope).next == place.index

    def deliver(self, stream: CollapseStream) -> None:
        """Sends the result of a finished child stream as soon as those before it have been sent."""
        place = self._place(stream.scope)
        order = self._order(place.scope)
        order.finished[place.index] = stream
        order.streams.pop(place.index, None)
        while (ready := order.finished.pop(order.next, None)) is not None:
            order.next += 1
            ready.send(order.metas)
            if ready.scope.closing:
                del self._orders[place.scope]
        if (following := order.streams.get(order.next)) is not None:
            following.schedule()

    def _place(self, scope: Scope) -> Position:
        assert scope.parent is not None, "graph checks refuse a collapse without an expand before it"
        return scope.parent

    def _order(self, scope: Scope) -> _Order:
        order = self._orders.get(scope)
        if order is None:
            order = self._orders[scope] = _Order()
        return order
