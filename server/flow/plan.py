"""The compiled form of a graph: everything that running needs, so that nobody parses DOT twice.

A plan is plain data. It goes into the database as JSON and comes back equal.
"""

from enum import StrEnum

import msgspec

from server.flow.description import UnitDescription

PLAN_VERSION = 1
"""Grows when the meaning of a stored plan changes; a plan of another version is compiled again."""


class NodeKind(StrEnum):
    FLOWUNIT = "flowunit"
    INPUT = "input"
    OUTPUT = "output"


class PlanNode(msgspec.Struct, frozen=True, kw_only=True):
    """One vertex. `options` are its DOT attributes as stored strings (spec 2.1: lists joined by 0x03).
    `unit` is None for the virtual input and output nodes (spec 2.5, 2.6)."""

    name: str
    kind: NodeKind = NodeKind.FLOWUNIT
    unit: UnitDescription | None = None
    device: str = "cpu"
    device_id: str = "0"
    options: dict[str, str] = {}
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()


class PlanEdge(msgspec.Struct, frozen=True, kw_only=True):
    source: str
    source_port: str
    target: str
    target_port: str


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """`nodes` are in topological order. `settings` is the flat `dotted.key` -> string map of the whole
    graph file (spec 1.1). `match` tells for each node with inputs the node that its inputs are matched at
    (spec 3.3)."""

    name: str
    nodes: tuple[PlanNode, ...]
    edges: tuple[PlanEdge, ...]
    settings: dict[str, str] = {}
    match: dict[str, str] = {}
    version: int = PLAN_VERSION

    @property
    def is_self_contained(self) -> bool:
        """Whether the graph's text alone made this plan: no files beside it, which may have changed since."""
        return not (self.settings.get("driver.dir") or self.settings.get("graph.graphconffilepath"))

    def to_json(self) -> str:
        return msgspec.json.encode(self).decode()


def plan_from_json(text: str) -> Plan | None:
    """The plan of `text`, or None when another version of this program wrote it."""
    try:
        plan = msgspec.json.decode(text, type=Plan)
    except msgspec.DecodeError:
        return None
    return plan if plan.version == PLAN_VERSION else None
