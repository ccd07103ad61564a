"""DOT text into nodes and edges: subgraphs flattened, defaults applied by their scope (spec 2.1, 2.4)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from server.flow.graph.dot_diagnosis import diagnose
from server.flow.graph.dot_grammar import MAX_FORMS_WORDS, Form, NotDot, form_of, parse_form
from server.flow.graph.dot_lists import with_lists
from server.flow.graph.dot_statements import Body, Statement, read_statements
from server.flow.graph.dot_tokens import DotText, Token
from server.flow.status import FlowError, StatusCode

MAX_EDGES = 100_000
MAX_ATTRIBUTES = 1_000_000
"""Of all nodes and edges together: defaults and subgraphs as operands multiply what a short text says."""


@dataclass(slots=True)
class DotNode:
    """`attributes` are values as written, before they are split into lists. `line` is that of its first statement;
    for one that has none, where it first occurs."""

    name: str
    line: int
    attributes: dict[str, str]
    is_declared: bool = False


@dataclass(frozen=True, slots=True)
class DotEdge:
    """A missing port is ""."""

    source: str
    source_port: str
    target: str
    target_port: str
    line: int


@dataclass(slots=True)
class DotGraph:
    """The first graph of a text. `attributes` are those of the root graph."""

    name: str
    nodes: dict[str, DotNode] = field(default_factory=dict)
    edges: list[DotEdge] = field(default_factory=list)
    attributes: dict[str, str] = field(default_factory=dict)


def read_dot(text: str) -> DotGraph:
    """Raises: FlowError (Fault, with line and column), when `text` is not DOT or is beyond the limits."""
    source = DotText(text)
    graph_text = read_statements(source)
    graph = DotGraph(graph_text.name)
    _Reader(source, graph).read(graph_text.body, _Scope(None))
    return graph


_End = tuple[str, str]
"""A node and its port."""


class _Scope:
    """Defaults and members of one graph or subgraph. A subgraph sees its parent's defaults through its own."""

    def __init__(self, parent: "_Scope | None") -> None:
        self.parent = parent
        self.own: dict[str, dict[str, str]] = {"node": {}, "edge": {}, "graph": {}}
        self.members: dict[str, None] = {}
        self._named: dict[str, _Scope] = {}

    def child(self, name: str) -> "_Scope":
        """A new scope; for a name that this scope has seen, the same one again."""
        if not name:
            return _Scope(self)
        return self._named.setdefault(name, _Scope(self))

    def defaults(self, kind: str) -> dict[str, str]:
        inherited = {} if self.parent is None else self.parent.defaults(kind)
        inherited.update(self.own[kind])
        return inherited

    def default(self, kind: str, key: str) -> str:
        """The default of one attribute, "" without one."""
        scope: _Scope | None = self
        while scope is not None:
            if key in scope.own[kind]:
                return scope.own[kind][key]
            scope = scope.parent
        return ""

    def add(self, node: str) -> None:
        scope: _Scope | None = self
        while scope is not None and node not in scope.members:
            scope.members[node] = None
            scope = scope.parent


class _Reader:
    def __init__(self, source: DotText, graph: DotGraph) -> None:
        self._source = source
        self._graph = graph
        self._forms: dict[str, Form] = {}
        self._form_words = 0
        self._attributes = 0

    def read(self, body: Body, scope: _Scope) -> None:
        for statement in body.statements:
            self._statement(with_lists(statement) if statement.has_list else statement, scope)

    def _statement(self, statement: Statement, scope: _Scope) -> None:
        form = self._parse(statement)
        match form.kind:
            case "assign":
                self._set_defaults("graph", self._pairs(statement, form), scope)
            case "default":
                self._set_defaults(statement.tokens[0].kind, self._pairs(statement, form), scope)
            case "node":
                self._node(statement, form, scope)
            case "edge":
                self._edges(statement, form, scope)

    def _parse(self, statement: Statement) -> Form:
        form = form_of(statement.tokens)
        if form in self._forms:
            return self._forms[form]
        self._form_words += len(statement.tokens)
        if self._form_words > MAX_FORMS_WORDS:
            raise self._too_much(statement, f"more than {MAX_FORMS_WORDS} words in statements of different forms")
        try:
            parsed = self._forms[form] = parse_form(form)
        except NotDot:
            raise self._source.syntax_error(*diagnose(statement.tokens, statement.end)) from None
        return parsed

    def _pairs(self, statement: Statement, form: Form) -> dict[str, str]:
        tokens = statement.tokens
        return {tokens[key].text: tokens[value].text for key, value in form.attributes}

    def _set_defaults(self, kind: str, attributes: dict[str, str], scope: _Scope) -> None:
        scope.own[kind].update(attributes)
        if kind == "graph" and scope.parent is None:
            self._graph.attributes.update(attributes)

    def _node(self, statement: Statement, form: Form, scope: _Scope) -> None:
        operand = form.operands[0]
        ends = self._operand(statement, operand, scope)
        if operand[0] in statement.bodies:
            return
        listed = statement.lists.get(operand[0])
        names = [each.name for each in listed] if listed else [statement.tokens[operand[0]]]
        attributes = self._pairs(statement, form)
        self._count(statement, len(attributes) * len(ends))
        for token in names:
            node = self._graph.nodes[token.text]
            node.attributes.update(attributes)
            if not node.is_declared:
                node.is_declared = True
                node.line = self._source.line(token.offset)

    def _operand(self, statement: Statement, operand: tuple[int, ...], scope: _Scope) -> Sequence[_End]:
        """The nodes that an operand names, created where they are new, each with its port."""
        body = statement.bodies.get(operand[0])
        if body is not None:
            inner = scope.child(body.name)
            self.read(body, inner)
            return [(name, "") for name in inner.members]
        listed = statement.lists.get(operand[0])
        if listed is not None:
            return [(self._named(statement, node.name, scope), node.port) for node in listed]
        token = statement.tokens[operand[0]]
        port = ":".join(statement.tokens[index].text for index in operand[1:])
        return [(self._named(statement, token, scope), port)]

    def _named(self, statement: Statement, token: Token, scope: _Scope) -> str:
        if token.text not in self._graph.nodes:
            defaults = scope.defaults("node")
            self._count(statement, len(defaults) + 1)
            line = self._source.line(token.offset)
            self._graph.nodes[token.text] = DotNode(token.text, line, defaults)
        scope.add(token.text)
        return token.text

    def _edges(self, statement: Statement, form: Form, scope: _Scope) -> None:
        ends = [self._operand(statement, operand, scope) for operand in form.operands]
        explicit = self._pairs(statement, form)
        default_tail, default_head = scope.default("edge", "tailport"), scope.default("edge", "headport")
        line = self._source.line(statement.tokens[0].offset)
        for (source, source_port), (target, target_port) in self._pairs_of_ends(statement, ends):
            tail = explicit.get("tailport", source_port or default_tail)
            head = explicit.get("headport", target_port or default_head)
            self._graph.edges.append(DotEdge(source, tail, target, head, line))

    def _pairs_of_ends(self, statement: Statement, ends: list[Sequence[_End]]) -> Iterator[tuple[_End, _End]]:
        for sources, targets in pairwise(ends):
            if len(self._graph.edges) + len(sources) * len(targets) > MAX_EDGES:
                raise self._too_much(statement, f"more than {MAX_EDGES} edges")
            for source in sources:
                for target in targets:
                    yield source, target

    def _count(self, statement: Statement, attributes: int) -> None:
        self._attributes += attributes
        if self._attributes > MAX_ATTRIBUTES:
            raise self._too_much(statement, f"more than {MAX_ATTRIBUTES} attributes")

    def _too_much(self, statement: Statement, what: str) -> FlowError:
        line = self._source.line(statement.tokens[0].offset)
        return FlowError(StatusCode.FAULT, f"the graph is too large: {what}, in line {line}")
