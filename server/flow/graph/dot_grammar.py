"""What a DOT statement is, by pydot's grammar.

pydot is exact but slow (0.2 ms a word) and recurses on nested bodies. So it parses *forms*: a statement whose
words are replaced by their positions, with nested bodies as single words. Equal forms are parsed once, and a graph
has few different ones, however many nodes. See docs/decisions/0003-graph-compilation.md.
"""

import re
import threading
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from server.flow.graph.dot_tokens import Token

MAX_FORMS_WORDS = 8_000
"""Words in all different forms of one graph together: bounds the time in pydot to about 2 s."""

_REMEMBERED_LENGTH = 2_000
"""Characters of a form that is worth remembering from graph to graph: hostile ones must not fill the memory."""

_DEFAULTS = frozenset({"node", "edge", "graph"})
_OPERAND = re.compile(r"([ib])(\d+)((?::i\d+)*)")
_pydot_is_not_thread_safe = threading.Lock()


@dataclass(frozen=True, slots=True)
class Form:
    """A parsed statement. Numbers are indices of its tokens.

    kind: `assign`, `node`, `edge`, or `default`. operands: for each operand its node (or body), then its ports.
    attributes: key and value.
    """

    kind: str
    operands: tuple[tuple[int, ...], ...]
    attributes: tuple[tuple[int, int], ...]


def warm_up() -> None:
    """Loads pydot and parses the most common forms, which would make the first graph wait for 0.2 s."""
    for attributes in range(1, 8):
        listed = " , ".join(f"i{2 + 4 * n} = i{4 + 4 * n}" for n in range(attributes))
        parse_form(f"i0 [ {listed} ]")
    parse_form("i0 : i2 -> i4 : i6")
    parse_form("i0 -> i2")


class NotDot(Exception):
    """The statement is not DOT."""


def form_of(tokens: Sequence[Token]) -> str:
    """The statement without its words: equal for all statements of one form."""
    return " ".join(_form_word(index, token) for index, token in enumerate(tokens))


def _form_word(index: int, token: Token) -> str:
    match token.kind:
        case "id":
            return f"i{index}"
        case "body":
            return f"b{index}"
        case ";":
            return ","
        case _:
            return token.kind


def parse_form(form: str) -> Form:
    """Raises: NotDot."""
    return remembered_form(form) if len(form) <= _REMEMBERED_LENGTH else _parse_form(form)


@lru_cache(maxsize=512)
def remembered_form(form: str) -> Form:
    return _parse_form(form)


def _parse_form(form: str) -> Form:
    words = form.split(" ", 2)
    is_default = words[0] in _DEFAULTS
    if is_default and words[1:2] != ["["]:
        raise NotDot
    graph = _parse(f"digraph{{{form}}}")
    nodes = [(name, node) for name, same in graph["nodes"].items() for node in same]
    edges = [edge for same in graph["edges"].values() for edge in same]
    if len(nodes) + bool(edges) + bool(graph["attributes"]) != 1:
        raise NotDot  # pydot sees two statements, as in "strict a"
    if edges:
        edges.sort(key=lambda edge: int(edge["sequence"]))
        points = [edges[0]["points"][0], *(edge["points"][1] for edge in edges)]
        return Form("edge", tuple(_operand(point) for point in points), _attributes(edges[0]["attributes"]))
    if nodes:
        name, node = nodes[0]
        attributes = _attributes(node["attributes"])
        if is_default:
            return Form("default", (), attributes)
        return Form("node", (_operand(name + (node["port"] or "")),), attributes)
    return Form("assign", (), _attributes(graph["attributes"]))


def _parse(text: str) -> dict[str, Any]:
    """pydot's own record of the one graph in `text`."""
    with _pydot_is_not_thread_safe:
        parser, parse_error = _pydot()
        try:
            graphs = parser.parse_string(text, parse_all=True)
        except parse_error:
            raise NotDot from None
    record: dict[str, Any] = graphs[0].obj_dict
    return record


@cache
def _pydot() -> tuple[Any, type[Exception]]:
    """pydot's grammar and its error. Imported late: a process that only runs stored plans does without it."""
    with warnings.catch_warnings():
        # pydot 4 uses names that pyparsing 3.3 calls deprecated
        warnings.simplefilter("ignore", DeprecationWarning)
        from pydot.dot_parser import GraphParser
        from pyparsing import ParseBaseException
    return GraphParser.parser, ParseBaseException


def _operand(text: str) -> tuple[int, ...]:
    match = _OPERAND.fullmatch(text)
    if match is None or (match.group(1) == "b" and match.group(3)):
        raise NotDot
    return tuple(int(part.lstrip("ib")) for part in text.split(":"))


def _attributes(attributes: dict[str, str | None]) -> tuple[tuple[int, int], ...]:
    return tuple((_word(key), _word(value)) for key, value in attributes.items())


def _word(text: str | None) -> int:
    """pydot takes a key without a value and a keyword as a name; Graphviz takes neither."""
    if text is None or not re.fullmatch(r"i\d+", text):
        raise NotDot
    return int(text[1:])
