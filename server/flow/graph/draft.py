"""The graph while it is built and checked: plan nodes and edges that still know their lines."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches

from server.flow.plan import PlanEdge, PlanNode
from server.flow.settings import shown


@dataclass(slots=True)
class Draft:
    """`lines` and the values of `edges` are lines of the DOT text, 0 without one. `nodes` and `edges` do not
    change after the build."""

    nodes: dict[str, PlanNode] = field(default_factory=dict)
    edges: dict[PlanEdge, int] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)

    def place(self, node: str) -> str:
        """How a message names a node: with its line, where it has one."""
        return place(node, self.lines.get(node))

    def sources(self, edges: Iterable[PlanEdge]) -> str:
        """How a message names where some edges begin, each with its line."""
        found = [f"'{shown(f'{edge.source}:{edge.source_port}', 60)}'{_line(self.edges[edge])}" for edge in edges]
        more = f" and {len(found) - 12} more" if len(found) > 12 else ""
        return ", ".join(found[:12]) + more

    def incoming(self) -> dict[str, list[PlanEdge]]:
        found: dict[str, list[PlanEdge]] = defaultdict(list)
        for edge in self.edges:
            found[edge.target].append(edge)
        return found

    def outgoing(self) -> dict[str, list[PlanEdge]]:
        found: dict[str, list[PlanEdge]] = defaultdict(list)
        for edge in self.edges:
            found[edge.source].append(edge)
        return found


def place(node: str, line: int | None) -> str:
    return f"node '{shown(node)}'{_line(line)}"


def _line(line: int | None) -> str:
    return f" (line {line})" if line else ""


def listed(names: Iterable[str], limit: int = 12) -> str:
    """Names for a message, quoted; "none" for none of them, and no more than `limit`."""
    quoted = [f"'{shown(name, 60)}'" for name in names]
    if not quoted:
        return "none"
    more = f" and {len(quoted) - limit} more" if len(quoted) > limit else ""
    return ", ".join(quoted[:limit]) + more


def nearest(name: str, available: Iterable[str]) -> str:
    """What to write instead of `name`: a question with the nearest names, or the list of all."""
    names = sorted(available)
    close = get_close_matches(name[:60], names[:2000], n=3, cutoff=0.5)
    if close:
        return "did you mean " + " or ".join(f"'{shown(each, 60)}'" for each in close) + "?"
    return f"available: {listed(names)}"
