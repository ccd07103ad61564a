"""Expand units: each buffer becomes a stream of its own, which events may prolong (spec 4.4, 4.5, 4.9).

Stream expand units make one child stream after the other. For normal ones each buffer is at work beside the
others, in a context of its own.
"""

from server.flow.run.child import Child, send_empty_child, send_error_child
from server.flow.run.receiving import ReceivingNode
from server.flow.run.stream import Stream, StreamCall, StreamKeeper, StreamNode
from server.flow.run.streams import Row, RowKind, Scope, TokenKind, merged_meta
from server.flow.unitapi import Buffer


class ExpandStream(Stream):
    def __init__(self, node: StreamKeeper, scope: Scope) -> None:
        super().__init__(node, scope)
        self._child: Child | None = None

    def take(self) -> StreamCall | None:
        if self._child is not None and not self.busy and not self.is_over:
            if self.scope.session.shut:
                self.events.clear()
                self.end_child()
            elif not self.events:
                self.is_ready = False
                self.scope.session.waiting.add(self)
                return None
        return super().take()

    def pass_on(self, row: Row, kind: RowKind) -> None:
        meta = self.note_inputs(row)
        if kind is RowKind.ERROR:
            send_error_child(self.node, row, self.node.passed_error(row), meta)
        else:
            send_empty_child(self.node, row, meta)

    def results(self, call: StreamCall, outputs: list[list[Buffer]]) -> None:
        meta = self.note_inputs(call.rows[-1]) if call.rows else self.meta
        if call.rows:
            self._child = Child(self.node, call.rows[-1])
        if self._child is None:
            return
        self._child.send(self.context, outputs, meta)
        if not self.continues and not self.events:
            self.end_child()

    def has_ended(self) -> None:
        row = self.rows.popleft()
        self.node.taken(1)
        send_empty_child(self.node, row, self.note_inputs(row))
        self.node.forget(self)
        self.node.done([row])
        self.scope.session.release()

    def end_child(self) -> None:
        assert self._child is not None
        self._child.end(self.meta)
        self._child = None
        self.continues = False


class StreamExpandNode(StreamNode):
    stream_class = ExpandStream


class ExpandPart(ExpandStream):
    """One buffer of a normal expand unit."""

    def pass_on(self, row: Row, kind: RowKind) -> None:
        super().pass_on(row, kind)
        self._leave()

    def end_child(self) -> None:
        super().end_child()
        self._leave()

    def _leave(self) -> None:
        self.node.forget(self)
        self.scope.session.release()


class ExpandNode(StreamKeeper, ReceivingNode):
    def prepare(self) -> None:
        super().prepare()
        self._parts: set[Stream] = set()
        self._overrides = {"data_pre": False, "data_post": False}

    def accept_row(self, row: Row) -> None:
        if row[0].kind is TokenKind.END:
            self.taken(1)
            # it may overtake the parts: whoever collapses them goes by their positions
            send_empty_child(self, row, merged_meta(row))
            self.done([row])
            return
        part = ExpandPart(self, row[0].scope)
        self._parts.add(part)
        part.add(row)

    def knows(self, stream: Stream) -> bool:
        return stream in self._parts

    def forget(self, stream: Stream) -> None:
        stream.is_over = True
        self._parts.discard(stream)
