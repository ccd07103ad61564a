"""Queues between nodes, and the two ways in which several edges meet: joins of branches on one port, and
positions matched over several ports (spec 3.3, 4.5)."""

from collections import deque
from typing import TYPE_CHECKING

from server.flow.run.streams import Position, Row, Scope, Session, Token, TokenKind

if TYPE_CHECKING:
    from server.flow.run.receiving import ReceivingNode
    from server.flow.run.scheduler import Job


class InPort:
    """`capacity` tokens wait here before the nodes that feed it are held back. `joins`: several edges
    to it are branches of one condition."""

    joins = True

    def __init__(self, node: "ReceivingNode", number: int, name: str, capacity: int) -> None:
        self.node = node
        self.number = number
        self.name = name
        self.capacity = capacity
        self.edges = 0
        self.queued = 0
        self.received = 0
        self.waiters: list[Job] = []
        self._joins: dict[Scope, Join] = {}

    def accept(self, edge: int, token: Token) -> None:
        self.queued += 1
        if token.kind is TokenKind.DATA:
            self.received += 1
        if self.edges == 1 or not self.joins:
            self.node.accept(self.number, token)
            return
        outer = token.scope.parent
        assert outer is not None, "graph checks let only branches of one condition meet on a port"
        join = self._joins.get(outer.scope)
        if join is None:
            join = self._joins[outer.scope] = Join(self.edges)
        released = join.put(edge, token)
        self.taken(-join.take_surplus())
        for part in released:
            if part.kind is TokenKind.END:
                del self._joins[outer.scope]
            self.node.accept(self.number, part)

    def taken(self, count: int) -> None:
        self.queued -= count
        if self.waiters and self.queued < self.capacity:
            waiters, self.waiters = self.waiters, []
            for job in waiters:
                self.node.scheduler.unpark(job)


class OutPort:
    def __init__(self, name: str) -> None:
        self.name = name
        self.sent = 0
        self.targets: list[tuple[InPort, int]] = []

    def emit(self, token: Token) -> None:
        if token.kind is TokenKind.DATA:
            self.sent += 1
        token.scope.session.pending += len(self.targets)
        for port, edge in self.targets[1:]:
            port.accept(edge, token.copy())
        port, edge = self.targets[0]
        port.accept(edge, token)

    def full(self) -> InPort | None:
        for port, _ in self.targets:
            if port.queued >= port.capacity:
                return port
        return None


class Join:
    """Puts the branches of one condition back into the order of the stream before it, for one scope.

    Each edge is in order already; the next position is known once every edge shows a later one.
    """

    def __init__(self, edges: int) -> None:
        self._heads: list[deque[Token]] = [deque() for _ in range(edges)]
        self._expected = 0
        self._sent = 0
        self._surplus = 0

    def put(self, edge: int, token: Token) -> list[Token]:
        self._heads[edge].append(token)
        released: list[Token] = []
        while (source := self._next()) is not None:
            token = source[0]
            if token.kind is TokenKind.END:
                self._release_end(token, released)
                break
            self._release(source.popleft(), released)
        return released

    def take_surplus(self) -> int:
        """How many tokens this join made out of nothing (or, if negative, swallowed) since the last call."""
        surplus, self._surplus = self._surplus, 0
        return surplus

    def _next(self) -> deque[Token] | None:
        filled = [queue for queue in self._heads if queue]
        if not filled:
            return None
        first = min(filled, key=lambda queue: (_origin(queue[0]).index, queue[0].kind is TokenKind.END))
        if len(filled) == len(self._heads):
            return first
        head = first[0]
        return first if head.kind is not TokenKind.END and _origin(head).index <= self._expected else None

    def _release(self, token: Token, released: list[Token]) -> None:
        origin = _origin(token)
        self._fill_up_to(origin, released)
        released.append(Token(origin.scope, self._sent, token.kind, token.buffer, token.meta, origin.outer))
        self._sent += 1
        self._expected = max(self._expected, origin.index + 1)

    def _release_end(self, token: Token, released: list[Token]) -> None:
        """All branches have ended: one end leaves."""
        origin = _origin(token)
        self._fill_up_to(origin, released)
        released.append(Token(origin.scope, self._sent, TokenKind.END, None, token.meta, origin.outer))
        merged = len(self._heads) - 1
        self._surplus -= merged
        token.scope.session.pending -= merged

    def _fill_up_to(self, origin: Position, released: list[Token]) -> None:
        # a stream unit in a branch left these positions out; their places are kept for what is matched later
        while self._expected < origin.index:
            released.append(Token(origin.scope, self._sent, TokenKind.HOLE, None, None, origin.outer))
            origin.scope.session.pending += 1
            self._surplus += 1
            self._sent += 1
            self._expected += 1


def _origin(token: Token) -> Position:
    assert token.outer is not None
    return token.outer


class Matcher:
    """Lines up the ports of a node by position, for each scope."""

    def __init__(self, ports: int) -> None:
        self._ports = ports
        self._scopes: dict[Scope, list[deque[Token]]] = {}

    def put(self, port: int, token: Token) -> list[Row]:
        """The rows that are complete now.

        Raises: Mismatch, when one port's stream ends before another's.
        """
        queues = self._scopes.get(token.scope)
        if queues is None:
            queues = self._scopes[token.scope] = [deque() for _ in range(self._ports)]
        queues[port].append(token)
        rows: list[Row] = []
        while all(queues):
            row = tuple(queue.popleft() for queue in queues)
            ends = sum(part.kind is TokenKind.END for part in row)
            if ends == self._ports:
                del self._scopes[token.scope]
            elif ends:
                raise Mismatch([part.kind is TokenKind.END for part in row].index(True), token.scope.session)
            rows.append(row)
        return rows


class Mismatch(Exception):
    """The streams at a node's ports have different lengths."""

    def __init__(self, port: int, session: Session) -> None:
        super().__init__(port)
        self.port = port
        self.session = session
