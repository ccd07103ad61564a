"""Where failpoints stand in the program, read from its source."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import server
from server.failpoints import Failpoint


@cache
def places() -> dict[str, list[bool]]:
    """Name of each failpoint that is hit somewhere -> for each place, whether the operation can fail there."""
    found: dict[str, list[bool]] = defaultdict(list)
    for path in sorted(Path(server.__file__).parent.rglob("*.py")):
        for call in _hits(ast.parse(path.read_text())):
            point = call.args[0]
            assert isinstance(point, ast.Attribute), f"{path}: hit() takes a member of Failpoint by name"
            found[point.attr].append(len(call.args) == 2)
    return dict(found)


def _hits(tree: ast.Module) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "hit":
            yield node


def can_fail(failpoint: Failpoint) -> bool:
    return all(places()[failpoint.name])
