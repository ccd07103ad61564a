"""Tokens into the statements of the first graph, bodies within bodies.

Statements are only told apart here; what one of them is, is for the grammar (`dot_grammar`). Nested bodies become
single operands, so that the grammar never recurses.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from server.flow.graph.dot_tokens import DotText, Token, described, joined_strings
from server.flow.status import FlowError

MAX_NESTING = 64
MAX_STATEMENT = 4_000
"""Tokens in one statement."""

_OPERANDS = frozenset({"id", "{", "subgraph", "node", "edge", "graph", "digraph", "strict"})


@dataclass(slots=True)
class Body:
    """What is between braces. `name` is the subgraph's, "" if it has none."""

    name: str
    statements: list["Statement"] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ListedNode:
    name: Token
    port: str


@dataclass(slots=True)
class Statement:
    """The tokens of one statement, without the `end` that follows. A nested body is one token of kind `body`,
    and `bodies` holds it by the token's index. A list of nodes is such a token too, and `lists` holds it, once
    `has_list` (there is a comma outside of attributes) was looked after."""

    tokens: list[Token] = field(default_factory=list)
    bodies: dict[int, Body] = field(default_factory=dict)
    lists: dict[int, list[ListedNode]] = field(default_factory=dict)
    end: Token = field(default_factory=lambda: Token("end", "", 0))
    has_list: bool = False


@dataclass(frozen=True, slots=True)
class GraphText:
    name: str
    directed: bool
    body: Body


def read_statements(source: DotText) -> GraphText:
    """The first graph of `source`; what follows it is not looked at, as in ModelBox (spec 2.1).

    Raises: FlowError, at a syntax error in the header or in the structure of bodies, or when bodies are nested
    deeper than MAX_NESTING.
    """
    return _Reader(source).graph()


class _Reader:
    def __init__(self, source: DotText) -> None:
        self._source = source
        self._tokens: Iterator[Token] = joined_strings(source)
        self._directed = True

    def graph(self) -> GraphText:
        token = next(self._tokens)
        if token.kind == "strict":
            token = next(self._tokens)
        if token.kind not in ("digraph", "graph"):
            raise self._expected("'digraph' or 'graph'", token)
        self._directed = token.kind == "digraph"
        token = next(self._tokens)
        name = ""
        if token.kind == "id":
            name = token.text
            token = next(self._tokens)
        if token.kind != "{":
            raise self._expected("'{'", token)
        return GraphText(name, self._directed, self._body())

    def _body(self) -> Body:
        """The root body, after its opening brace. One loop with a stack: no text can make it recurse."""
        bodies = [Body("")]
        statements = [Statement()]
        while True:
            token = next(self._tokens)
            if token.kind == "end":
                raise self._expected("'}'", token)
            if token.kind == "}":
                body = bodies.pop()
                _finish(body, statements.pop(), token)
                if not bodies:
                    return body
            elif token.kind == ";":
                statements[-1] = _finish(bodies[-1], statements[-1], token)
            else:
                if token.kind in _OPERANDS and _complete(statements[-1]):
                    statements[-1] = _finish(bodies[-1], statements[-1], token)
                if token.kind in ("{", "subgraph"):
                    bodies.append(self._open(token, statements[-1], len(bodies)))
                    statements.append(Statement())
                elif token.kind == "[":
                    self._attributes(token, statements[-1])
                else:
                    statements[-1].has_list |= token.kind == ","
                    self._append(statements[-1], token)

    def _open(self, token: Token, statement: Statement, depth: int) -> Body:
        name, brace = self._subgraph(token)
        if depth >= MAX_NESTING:
            raise self._source.syntax_error(brace.offset, f"more than {MAX_NESTING} bodies within each other")
        body = statement.bodies[len(statement.tokens)] = Body(name)
        self._append(statement, Token("body", token.text, token.offset))
        return body

    def _attributes(self, token: Token, statement: Statement) -> None:
        """The tokens of one attribute list, brackets included: a `;` separates attributes in it."""
        opening = token
        while token.kind != "]":
            if token.kind in ("{", "}", "end"):
                line = self._source.line(opening.offset)
                raise self._expected(f"']' for the '[' in line {line}", token)
            self._append(statement, token)
            token = next(self._tokens)
        self._append(statement, token)

    def _subgraph(self, token: Token) -> tuple[str, Token]:
        """The name and the opening brace of the body that begins at `token`."""
        if token.kind == "{":
            return "", token
        token = next(self._tokens)
        name = ""
        if token.kind == "id":
            name = token.text
            token = next(self._tokens)
        if token.kind != "{":
            raise self._expected("'{' after 'subgraph'", token)
        return name, token

    def _append(self, statement: Statement, token: Token) -> None:
        if len(statement.tokens) >= MAX_STATEMENT:
            raise self._source.syntax_error(token.offset, f"a statement of more than {MAX_STATEMENT} words")
        if token.kind == "--" and self._directed:
            raise self._expected("'->' (this is a digraph)", token)
        if token.kind == "->" and not self._directed:
            raise self._expected("'--' (this is a graph, not a digraph)", token)
        statement.tokens.append(token)

    def _expected(self, what: str, token: Token) -> FlowError:
        return self._source.syntax_error(token.offset, f"expected {what}, found {described(token)}")


def _complete(statement: Statement) -> bool:
    """Whether an operand that comes next begins another statement: no operator waits for one."""
    return bool(statement.tokens) and statement.tokens[-1].kind in ("id", "body", "]")


def _finish(body: Body, statement: Statement, end: Token) -> Statement:
    """Adds `statement` to `body`, unless it is empty, and gives the next one."""
    if not statement.tokens:
        return statement
    statement.end = end
    body.statements.append(statement)
    return Statement()
