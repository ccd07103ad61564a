"""Where a statement stops being DOT, and what should stand there: words for a syntax error.

Runs only on statements that the grammar has refused; it reads them once, from left to right.
"""

from collections.abc import Sequence

from server.flow.graph.dot_tokens import Token, described

_STATEMENT = "a node name, a subgraph, 'node [', 'edge [', 'graph [' or '}'"


class _Stop(Exception):
    def __init__(self, token: Token, expected: str) -> None:
        super().__init__(expected)
        self.token = token
        self.expected = expected


def diagnose(tokens: Sequence[Token], end: Token) -> tuple[int, str]:
    """The offset of the first token that is out of place, and what is wrong there."""
    try:
        _Walk(tokens, end).statement()
    except _Stop as stop:
        return stop.token.offset, f"expected {stop.expected}, found {described(stop.token)}"
    return tokens[0].offset, "this statement is not DOT"


class _Walk:
    def __init__(self, tokens: Sequence[Token], end: Token) -> None:
        self._tokens = [*tokens, end]
        self._end = len(tokens)
        self._at = 0

    def statement(self) -> None:
        if self._kind() in ("node", "edge", "graph"):
            self._at += 1
            self._need("[", "'['")
            self._attribute_lists()
        elif self._kind() == "id" and self._kind(1) == "=":
            self._at += 2
            self._need("id", "a value (a name, a number or a quoted string)")
        else:
            self._operands()
            self._attribute_lists()
        if self._at < self._end:
            raise _Stop(self._tokens[self._at], "the end of the statement (';', a new line, or '}')")

    def _operands(self) -> None:
        self._operand(_STATEMENT)
        while self._kind() in ("->", "--"):
            self._at += 1
            self._operand("a node name or a subgraph after the arrow")

    def _operand(self, expected: str) -> None:
        if self._kind() == "body":
            self._at += 1
            return
        self._need("id", expected)
        for _ in range(2):
            if self._kind() != ":":
                return
            self._at += 1
            self._need("id", "a port name after ':'")

    def _attribute_lists(self) -> None:
        if self._tokens[self._at - 1].kind == "[":
            self._attributes()
        while self._kind() == "[":
            self._at += 1
            self._attributes()

    def _attributes(self) -> None:
        while self._kind() != "]":
            self._need("id", "an attribute name or ']'")
            self._need("=", "'=' and a value")
            self._need("id", "a value (a name, a number or a quoted string)")
            if self._kind() in (",", ";"):
                self._at += 1
        self._at += 1

    def _kind(self, ahead: int = 0) -> str:
        index = self._at + ahead
        return self._tokens[index].kind if index < self._end else ""

    def _need(self, kind: str, expected: str) -> None:
        if self._kind() != kind:
            raise _Stop(self._tokens[min(self._at, self._end)], expected)
        self._at += 1
