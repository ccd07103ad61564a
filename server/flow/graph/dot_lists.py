"""Lists of nodes, as in `a, b [x=1]` and `a:o -> b:i, c:i`.

Graphviz reads them, though its published grammar has none, and neither has pydot's. So a list becomes a single
operand of its statement, as a nested body does.
"""

from collections.abc import Sequence

from server.flow.graph.dot_statements import ListedNode, Statement
from server.flow.graph.dot_tokens import Token

_NODES = (["id"], ["id", ":", "id"], ["id", ":", "id", ":", "id"])


def with_lists(statement: Statement) -> Statement:
    """The statement with its lists as operands. One whose commas make no list stays as it is, for the grammar to
    refuse."""
    tokens = statement.tokens
    end = next((index for index, token in enumerate(tokens) if token.kind == "["), len(tokens))
    folded = Statement(end=statement.end)
    start = 0
    for stop in (*(index for index in range(end) if tokens[index].kind in ("->", "--")), end):
        if not _fold(statement, start, stop, folded):
            return statement
        folded.tokens.extend(tokens[stop : min(stop + 1, end)])
        start = stop + 1
    folded.tokens.extend(tokens[end:])
    return folded


def _fold(statement: Statement, start: int, stop: int, into: Statement) -> bool:
    """Adds what is between two arrows; False, when it has commas and is no list."""
    segment = statement.tokens[start:stop]
    if not any(token.kind == "," for token in segment):
        moved = len(into.tokens) - start
        found = {index + moved: body for index, body in statement.bodies.items() if start <= index < stop}
        into.bodies.update(found)
        into.tokens.extend(segment)
        return True
    nodes = _split(segment)
    if not all([token.kind for token in node] in _NODES for node in nodes):
        return False
    into.lists[len(into.tokens)] = [
        ListedNode(node[0], ":".join(token.text for token in node[2::2])) for node in nodes
    ]
    into.tokens.append(Token("body", segment[0].text, segment[0].offset))
    return True


def _split(tokens: Sequence[Token]) -> list[list[Token]]:
    parts: list[list[Token]] = [[]]
    for token in tokens:
        if token.kind == ",":
            parts.append([])
        else:
            parts[-1].append(token)
    return parts
