"""The versions of a job, and how two of them differ."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from server.jobs.options import JobOptions


class VersionState(StrEnum):
    CURRENT = "current"
    PAST = "past"
    PENDING = "pending"
    FAILED = "failed"


class JobVersion(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for once, and what came of it."""

    version: Annotated[int, Meta(description="from 1, which is what the job was created with")]
    state: Annotated[
        VersionState,
        Meta(
            description="current: the job has it; past: it had; pending: its engine starts; failed: it never had"
        ),
    ]
    at: Annotated[datetime, Meta(description="when it was asked for")]
    applied_at: Annotated[datetime | None, Meta(description="since when the job had it; null when it never did")]
    actor: Annotated[str, Meta(description="who asked for it")]
    request_id: str
    graph_digest: str
    options: JobOptions
    back_to: Annotated[int | None, Meta(description="the version that was rolled back to; null when none was")]
    error: Annotated[str, Meta(description="why nothing came of it; else empty")]


class VersionsPage(msgspec.Struct, frozen=True, kw_only=True):
    """Versions of the job that there is now, newest first."""

    job: str
    version: Annotated[int, Meta(description="the current one")]
    versions: list[JobVersion]
    next: Annotated[int | None, Meta(description="ask for `before` this to go on; null at the end")]


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """A value before and after; null where there is none."""

    before: Any
    after: Any


class Node(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    attributes: Annotated[dict[str, str], Meta(description="flowunit, device, deviceid, and its own")]


class ChangedNode(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    attributes: dict[str, Changed]


class Nodes(msgspec.Struct, frozen=True, kw_only=True):
    added: list[Node] = []
    removed: list[Node] = []
    changed: list[ChangedNode] = []


class Edges(msgspec.Struct, frozen=True, kw_only=True):
    """Each as in DOT: node:port -> node:port."""

    added: list[str] = []
    removed: list[str] = []


class VersionDiff(msgspec.Struct, frozen=True, kw_only=True, rename={"from_version": "from", "to_version": "to"}):
    """How two versions differ. `nodes`, `edges` and `settings` are of the compiled graphs."""

    job: str
    from_version: int
    to_version: int
    equal: bool
    nodes: Nodes = Nodes()
    edges: Edges = Edges()
    settings: Annotated[dict[str, Changed], Meta(description="of the graph's file, but for the graph itself")] = {}
    options: dict[str, Changed] = {}
    text: Annotated[str, Meta(description="the graphs' sources as a unified diff; JSON is laid out for it")] = ""
    remarks: Annotated[list[str], Meta(description="what is not compared, and why")] = []
