"""Stream expand units: one child stream after the other, and events may prolong each (spec 4.5, 4.9)."""

from server.flow.run.child import Child, send_empty_child, send_error_child
from server.flow.run.stream import Stream, StreamCall, StreamNode
from server.flow.run.streams import Row, RowKind, Scope
from server.flow.unitapi import Buffer


class ExpandStream(Stream):
    def __init__(self, node: StreamNode, scope: Scope) -> None:
        super().__init__(node, scope)
        self._child: Child | None = None

    def take(self) -> StreamCall | None:
        if self._child is not None and not self.busy and not self.is_over and not self.events:
            if not self.scope.session.shut:
                self.is_ready = False
                self.scope.session.waiting.add(self)
                return None
            self._end_child()
        return super().take()

    def pass_on(self, row: Row, kind: RowKind) -> None:
        meta = self.note_inputs(row)
        if self.refused and kind is RowKind.DATA:
            send_empty_child(self.node, row, meta)
        elif kind is RowKind.ERROR:
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
            self._end_child()

    def has_ended(self) -> None:
        row = self.rows.popleft()
        self.node.taken(1)
        send_empty_child(self.node, row, self.note_inputs(row))
        self.node.forget(self)
        self.node.done([row])
        self.scope.session.release()

    def _end_child(self) -> None:
        assert self._child is not None
        self._child.end(self.meta)
        self._child = None
        self.continues = False


class StreamExpandNode(StreamNode):
    stream_class = ExpandStream
