"""Stream matching: whether the inputs of each node belong together, and where they part (spec 3.3).

Every stream has a *level*: the source it comes from, and on top of it one step for each expand and each if-else
branch it is in. Collapse and the join of branches take a step off again. Inputs match if their levels are equal.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from server.flow.description import ConditionType, OutputType
from server.flow.graph.draft import Draft
from server.flow.graph.findings import Findings
from server.flow.plan import NodeKind, PlanEdge, PlanNode
from server.flow.settings import shown
from server.flow.status import FlowError, StatusCode

STEP = "check graph failed, please check graph config."


@dataclass(eq=False, slots=True)
class Level:
    """One step of nesting. `port` is the branch of an if-else, "" for an expand or a source. Equal levels are the
    same object."""

    parent: "Level | None"
    node: str
    port: str
    depth: int = 0
    _inner: dict[tuple[str, str], "Level"] = field(default_factory=dict)

    def inside(self, node: str, port: str = "") -> "Level":
        return self._inner.setdefault((node, port), Level(self, node, port, self.depth + 1))

    @property
    def is_branch(self) -> bool:
        return self.port != ""

    def steps(self) -> list["Level"]:
        """From the source to this level."""
        found = []
        level: Level | None = self
        while level is not None:
            found.append(level)
            level = level.parent
        return found[::-1]


class _Mismatch(Exception):
    def __init__(self, *messages: str) -> None:
        super().__init__(*messages)
        self.messages = messages


def check_matching(
    draft: Draft, order: list[str], backward: Iterable[PlanEdge], findings: Findings
) -> dict[str, str]:
    """For each node with inputs the node that they are matched at."""
    return _Matching(draft, order, frozenset(backward)).check(findings)


class _Matching:
    def __init__(self, draft: Draft, order: list[str], backward: frozenset[PlanEdge]) -> None:
        self._draft = draft
        self._order = order
        self._backward = backward
        self._incoming = draft.incoming()
        self._levels: dict[tuple[str, str], Level] = {}
        self._match: dict[str, str] = {}
        self._rank = {name: position for position, name in enumerate(order)}

    def check(self, findings: Findings) -> dict[str, str]:
        for name in self._order:
            node = self._draft.nodes[name]
            self._set_match(node)
            try:
                level = self._level(node)
                if level is not None:
                    self._set_outputs(node, level)
            except _Mismatch as mismatch:
                findings.add(FlowError(StatusCode.BADCONF, STEP, *mismatch.messages))
        for edge in self._draft.edges:
            if edge in self._backward and self._drifts(edge):
                findings.add(self._loop_problem(edge))
        return self._match

    def _forward(self, name: str) -> list[PlanEdge]:
        return [edge for edge in self._incoming[name] if edge not in self._backward]

    def _set_match(self, node: PlanNode) -> None:
        edges = self._forward(node.name)
        common = self._common(edge.source for edge in edges)
        if common is not None:
            self._match[node.name] = common

    def _common(self, names: Iterable[str]) -> str | None:
        """The nearest node that every way from a source to any of `names` passes, which may be one of them."""
        common: str | None = None
        for name in names:
            other: str | None = name
            common = common or name
            while common is not None and other is not None and common != other:
                if self._rank[common] > self._rank[other]:
                    common = self._match.get(common)
                else:
                    other = self._match.get(other)
            if other is None or common is None:
                return None
        return common

    def _level(self, node: PlanNode) -> Level | None:
        """The level at which the unit of `node` works; None when a node before it is wrong already."""
        edges = self._forward(node.name)
        if not edges:
            return Level(None, node.name, "")
        if any((edge.source, edge.source_port) not in self._levels for edge in edges):
            return None
        ports = [(port, self._port_level(node, port, edges)) for port in node.inputs]
        if node.kind is NodeKind.OUTPUT and node.options.get("output_type") == "unmatch":
            return None
        first_port, first = ports[0]
        for port, level in ports[1:]:
            if level is not first:
                raise self._different(node, (first_port, first), (port, level), edges)
        return first

    def _port_level(self, node: PlanNode, port: str, edges: list[PlanEdge]) -> Level:
        here = [edge for edge in edges if edge.target_port == port]
        levels = [self._levels[edge.source, edge.source_port] for edge in here]
        if len(here) == 1:
            return levels[0]
        joined = _join(levels)
        if joined is None:
            raise self._no_join(node, port, here, levels)
        return joined

    def _set_outputs(self, node: PlanNode, level: Level) -> None:
        unit = node.unit
        if unit is not None and unit.output_type is OutputType.COLLAPSE:
            level = self._collapsed(node.name, level)
        elif unit is not None and unit.output_type is OutputType.EXPAND:
            level = level.inside(node.name)
        branches = unit is not None and unit.condition is ConditionType.IF_ELSE
        for port in node.outputs:
            self._levels[node.name, port] = level.inside(node.name, port) if branches else level

    def _collapsed(self, name: str, level: Level) -> Level:
        if level.parent is not None and not level.is_branch:
            return level.parent
        outer = [step for step in level.steps()[1:] if not step.is_branch]
        place = self._draft.place(name)
        if outer:
            raise _Mismatch(
                f"check node {shown(name)}",
                "branch match CollapseMatch failed",
                f"from node:{shown(outer[-1].node)} to node:{shown(name)} has unmatched expand or collapse nodes",
                f"{place} collapses inside the branch '{shown(level.port)}' of if-else '{shown(level.node)}': "
                "join the branches first",
            )
        raise _Mismatch(
            f"check node {shown(name)}",
            "branch match CollapseMatch failed",
            f"can't find a expand node for {shown(name)}",
            f"{place} collapses what no unit before it has expanded",
        )

    def _different(
        self, node: PlanNode, one: tuple[str, Level], other: tuple[str, Level], edges: list[PlanEdge]
    ) -> _Mismatch:
        (_, level), (other_port, other_level) = one, other
        step, other_step = _part(level, other_level)
        name = shown(node.name)
        outer = f"check node {name} link connect failed."
        inputs = [
            f"input '{shown(name)}' takes {self._sources(name, edges)}, which is {_described(at)}"
            for name, at in (one, other)
        ]
        ours = f"{self._draft.place(node.name)}: {inputs[0]}, and {inputs[1]}"
        if step is not None and other_step is not None and step.parent is not None:
            if step.is_branch and step.node == other_step.node:
                ports = ",".join(sorted({shown(step.port), shown(other_step.port)}))
                text = f"{name} match from multi ports at {shown(step.node)}:{ports}. "
                return _Mismatch(outer, f"{text}{shown(step.node)} can not be if-else node", ours)
            if not step.is_branch and not other_step.is_branch:
                return _Mismatch(
                    f"check over hierarchy match failed, node:{name}",
                    "path branches have unmatched expand node.",
                    ours,
                )
        edge = next(edge for edge in edges if edge.target_port == other_port)
        return _Mismatch(
            outer,
            f"node:{name} has different level links, pls check the input links.",
            f"{shown(edge.source)}:{shown(edge.source_port)} links {name}:{shown(other_port)} failed.",
            ours,
        )

    def _no_join(self, node: PlanNode, port: str, edges: list[PlanEdge], levels: list[Level]) -> _Mismatch:
        name = shown(node.name)
        outer = f"check node {name} link connect failed."
        sources = self._sources(port, edges)
        ours = (
            f"{self._draft.place(node.name)}: input '{shown(port)}' takes {sources}: one input can join only "
            "different branches of one if-else unit"
        )
        common = self._common(edge.source for edge in edges)
        if common is None:
            return _Mismatch(outer, f"node:{name} has different level links, pls check the input links.", ours)
        unbalanced = _unbalanced(levels)
        if unbalanced is not None:
            return _Mismatch(
                f"check over hierarchy match failed, node:{name}",
                f"from node:{shown(unbalanced)} to node:{name} has unmatched expand or collapse nodes",
                ours,
            )
        ports = [self._ports_towards(common, edge) for edge in edges]
        if self._is_if_else(common) or set.intersection(*ports):
            text = "One port links multi edges can not match at one port."
        else:
            text = "One port links multi edges can not match at multi ports when the match node is condition node."
        return _Mismatch(
            outer, f"node:{name} port:{shown(port)}. {text}", f"{ours} (they part at '{shown(common)}')"
        )

    def _sources(self, port: str, edges: list[PlanEdge]) -> str:
        return self._draft.sources(edge for edge in edges if edge.target_port == port)

    def _is_if_else(self, name: str) -> bool:
        unit = self._draft.nodes[name].unit
        return unit is not None and unit.condition is ConditionType.IF_ELSE

    def _ports_towards(self, common: str, edge: PlanEdge) -> set[str]:
        """The output ports of `common` from which `edge` is reached."""
        found: set[str] = set()
        seen = {edge}
        waiting = [edge]
        while waiting:
            current = waiting.pop()
            if current.source == common:
                found.add(current.source_port)
                continue
            for before in self._forward(current.source):
                if before not in seen:
                    seen.add(before)
                    waiting.append(before)
        return found

    def _drifts(self, edge: PlanEdge) -> bool:
        """Whether the way back of a loop ends at another level than it began."""
        back = self._levels.get((edge.source, edge.source_port))
        entry = next(
            (self._levels.get((each.source, each.source_port)) for each in self._forward(edge.target)), None
        )
        return back is not None and entry is not None and back is not entry

    def _loop_problem(self, edge: PlanEdge) -> FlowError:
        name = shown(edge.target)
        return FlowError(
            StatusCode.BADCONF,
            STEP,
            f"check over hierarchy match failed, node:{name}",
            f"from node:{name} to node:{name} has unmatched expand or collapse nodes",
            f"{self._draft.place(edge.target)}: what comes back from '{shown(edge.source)}' must be as nested as "
            "what went in",
        )


def _join(levels: list[Level]) -> Level | None:
    """The level outside, when `levels` are different branches of one if-else; else None."""
    first = levels[0]
    if len({id(level) for level in levels}) < len(levels):
        return None
    if all(level.is_branch and level.parent is first.parent and level.node == first.node for level in levels):
        return first.parent
    return None


def _unbalanced(levels: list[Level]) -> str | None:
    """The if-else whose branches would join if one of them did not end inside an expand of its own."""
    step, other = next((parted for level in levels[1:] if all(parted := _part(levels[0], level))), (None, None))
    if step is None or other is None or not step.is_branch or step.node != other.node:
        return None
    return step.node if any(not each.steps()[-1].is_branch for each in levels) else None


def _part(one: Level, other: Level) -> tuple[Level | None, Level | None]:
    """The first steps at which two levels differ; None for the one that ends before."""
    steps, others = one.steps(), other.steps()
    for index in range(max(len(steps), len(others))):
        step = steps[index] if index < len(steps) else None
        against = others[index] if index < len(others) else None
        if step is not against:
            return step, against
    return None, None


def _described(level: Level) -> str:
    inner = []
    for step in level.steps()[1:]:
        branch = f"in branch '{shown(step.port, 60)}' of if-else '{shown(step.node, 60)}'"
        inner.append(branch if step.is_branch else f"expanded by '{shown(step.node, 60)}'")
    source = f"from '{shown(level.steps()[0].node, 60)}'"
    return ", ".join([source, *inner[-4:]])
