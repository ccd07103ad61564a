"""What travels between nodes, and where it belongs: sessions, scopes, tokens.

A scope is one stream at one nesting level. Every node keeps the scope of what it takes, except that an
expand unit opens a scope for each buffer and a condition opens one for each branch; collapse units and
joins of branches return to the outer one. Ports are matched position by position within a scope. That is
ModelBox's matching (spec 3.3, 4.7), told by the path up instead of by the node to match at.
"""

from collections.abc import Callable
from enum import IntEnum
from typing import TYPE_CHECKING, Protocol

from server.flow.unitapi import Buffer, DataMeta, SessionContext

if TYPE_CHECKING:
    from server.flow.run.outlet import Outlet


class Resumable(Protocol):
    """Something that a shut-down session must look at again."""

    def resume(self) -> None: ...


class Session:
    """Everything that descends from one external submission (spec 4.12). `outlet`: where its results go, when a
    program began it.

    `pending` counts what still belongs to it: queued tokens, open streams, the open input. Guarded by the
    scheduler's lock.
    """

    __slots__ = ("context", "error", "on_end", "outlet", "pending", "shut", "waiting")

    def __init__(
        self,
        context: SessionContext,
        on_end: Callable[["Session"], None] | None = None,
        outlet: "Outlet | None" = None,
    ) -> None:
        self.context = context
        self.outlet = outlet
        self.pending = 0
        self.shut = False
        self.error: tuple[str, str] | None = None
        self.on_end = on_end
        self.waiting: set[Resumable] = set()

    def release(self, count: int = 1) -> None:
        self.pending -= count
        if self.pending == 0 and self.on_end is not None:
            self.on_end(self)

    def shutdown(self) -> None:
        """No more events, and CONTINUE keeps no stream open any longer (spec 4.12)."""
        self.shut = True
        waiting, self.waiting = self.waiting, set()
        for stream in waiting:
            stream.resume()


class Scope:
    __slots__ = ("closing", "depth", "parent", "session")

    def __init__(self, session: Session, parent: "Position | None" = None, closing: bool = False) -> None:
        self.session = session
        self.parent = parent
        self.depth: int = parent.scope.depth + 1 if parent else 0
        self.closing = closing
        """True for the empty scope that stands for the end of the stream around it."""


class Position:
    """A place in a stream; `outer` is the place in the surrounding one that a branch of a condition left."""

    __slots__ = ("index", "outer", "scope")

    def __init__(self, scope: Scope, index: int, outer: "Position | None") -> None:
        self.scope = scope
        self.index = index
        self.outer = outer


class TokenKind(IntEnum):
    DATA = 0
    END = 1
    HOLE = 2
    """A position without data: keeps the places of others, is seen by no unit."""


class Token:
    """One position of one stream. `index` counts from 0; that of END is the stream's length."""

    __slots__ = ("buffer", "index", "kind", "meta", "outer", "scope")

    def __init__(
        self,
        scope: Scope,
        index: int,
        kind: TokenKind,
        buffer: Buffer | None = None,
        meta: DataMeta | None = None,
        outer: Position | None = None,
    ) -> None:
        self.scope = scope
        self.index = index
        self.kind = kind
        self.buffer = buffer
        self.meta = meta
        self.outer = outer

    def position(self) -> Position:
        return Position(self.scope, self.index, self.outer)

    def copy(self) -> "Token":
        buffer = Buffer(self.buffer) if self.buffer is not None else None
        return Token(self.scope, self.index, self.kind, buffer, self.meta, self.outer)


def token_at(kind: TokenKind, place: Position, meta: DataMeta | None = None) -> Token:
    return Token(place.scope, place.index, kind, None, meta, place.outer)


Row = tuple[Token, ...]
"""The tokens of all input ports at one position."""


class RowKind(IntEnum):
    DATA = 0
    END = 1
    HOLE = 2
    ERROR = 3
    """Holds an error that the unit must not see: it travels around `process` (spec 4.11)."""


def error_of(row: Row) -> Buffer | None:
    for token in row:
        if token.buffer is not None and token.buffer.has_error():
            return token.buffer
    return None


def kind_of(row: Row, exception_visible: bool) -> RowKind:
    first = row[0]
    if first.kind is TokenKind.END:
        return RowKind.END
    for token in row:
        if token.kind is TokenKind.HOLE:
            return RowKind.HOLE
    for token in row:
        buffer = token.buffer
        if buffer is None or buffer._error is None:
            continue
        depth = buffer._error[2]
        if not exception_visible or (depth is not None and token.scope.depth > depth):
            return RowKind.ERROR
    return RowKind.DATA


def merged_meta(row: Row) -> DataMeta | None:
    """The metas of all streams of a row; later ports win (spec 4.3)."""
    meta = row[0].meta
    for token in row[1:]:
        if token.meta is None or token.meta is meta:
            continue
        meta = token.meta if meta is None else meta.overlaid(token.meta)
    return meta
