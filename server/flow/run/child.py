"""The stream that an expand unit opens for one buffer (spec 4.4, A.2)."""

from server.flow.run.node import Node
from server.flow.run.streams import Position, Row, Scope, TokenKind, token_at
from server.flow.unitapi import Buffer, DataContext, DataMeta


class Child:
    def __init__(self, node: Node, row: Row, closing: bool = False) -> None:
        self._node = node
        self._scope = Scope(row[0].scope.session, row[0].position(), closing)
        self._lengths = [0] * len(node.outputs)
        self._metas: dict[int, DataMeta | None] = {}

    def send(self, context: DataContext | None, outputs: list[list[Buffer]], meta: DataMeta | None) -> None:
        for number, buffers in enumerate(outputs):
            out = self._node.outputs[number]
            if buffers and context and number not in self._metas:
                self._metas[number] = self._node.with_override(context, out.name, meta)
            mine = self._metas.get(number, meta)
            for buffer in buffers:
                self._node.emit_data(out, Position(self._scope, self._lengths[number], None), buffer, mine)
                self._lengths[number] += 1

    def end(self, meta: DataMeta | None) -> None:
        for out, length in zip(self._node.outputs, self._lengths, strict=True):
            out.emit(token_at(TokenKind.END, Position(self._scope, length, None), meta))


def send_error_child(node: Node, row: Row, error: Buffer, meta: DataMeta | None) -> None:
    """An error that the expand unit does not see: alone in its child stream."""
    child = Child(node, row)
    child.send(None, [[Buffer(error)] for _ in node.outputs], meta)
    child.end(meta)


def send_empty_child(node: Node, row: Row, meta: DataMeta | None) -> None:
    """The child of a position without data; for the end of the stream, one that closes it further on."""
    Child(node, row, closing=row[0].kind is TokenKind.END).end(meta)
