"""What it takes for a server's jobs to be those of a folder: a pure function."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec

from server.commands.flow_files import FlowFile
from server.jobs.words import JobStatus
from server.wire.job_rows import JobRow

FIELDS = ("job_id", "job_status", "graph_digest", "options", "origin")
"""Of each job, what a plan looks at."""
OVER_REST = "rest"


class Action(StrEnum):
    CREATE = "create"
    CHANGE = "change"
    REPLACE = "replace"
    DELETE = "delete"
    UNCHANGED = "unchanged"


@dataclass(frozen=True)
class Step:
    """`flow` is None for a delete. `why` is empty for what needs no reason. `options`: for a change, merged into
    those that the job has."""

    action: Action
    job_id: str
    why: str = ""
    flow: FlowFile | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def changes(self) -> bool:
        return self.action is not Action.UNCHANGED


def plan(flows: Sequence[FlowFile], rows: Sequence[JobRow], *, prune: bool) -> list[Step]:
    """A step for each flow, in their order, then with `prune` for each other job created over REST."""
    jobs = {str(row.job_id): row for row in rows}
    steps = [_step(flow, jobs.get(flow.job_id)) for flow in flows]
    if prune:
        wanted = {flow.job_id for flow in flows}
        extra = sorted(job_id for job_id, row in jobs.items() if job_id not in wanted and row.origin == OVER_REST)
        steps += [Step(Action.DELETE, job_id, "no file has it") for job_id in extra]
    return steps


def _step(flow: FlowFile, row: JobRow | None) -> Step:
    if row is None:
        return Step(Action.CREATE, flow.job_id, flow=flow)
    if row.job_status is JobStatus.DELETEING:
        return Step(Action.REPLACE, flow.job_id, "it is being deleted", flow)
    present = msgspec.json.decode(msgspec.json.encode(row.options))
    given = {name: value for name, value in (flow.options or {}).items() if value is not None}
    differ = _differ(given, present)
    differences = ["its graph"] if row.graph_digest != flow.digest else []
    differences += ["its options"] if differ else []
    if differences:
        why = f"{' and '.join(differences)} changed"
        return Step(Action.CHANGE, flow.job_id, why, flow, _patch(given, present) if differ else {})
    return Step(Action.UNCHANGED, flow.job_id, str(row.job_status), flow)


def _patch(given: Mapping[str, Any], present: Mapping[str, Any]) -> dict[str, Any]:
    """What makes the options those of the file: a value that it does not have is taken away, so that it is the
    server's own again."""
    patch: dict[str, Any] = dict.fromkeys((name for name in present if name not in given), None)
    for name, value in given.items():
        before = present.get(name)
        is_within = isinstance(value, dict) and isinstance(before, dict)
        patch[name] = _patch(value, before) if is_within and before is not None else value
    return patch


def _differ(given: Mapping[str, Any], present: Mapping[str, Any]) -> bool:
    """The server completes what an option leaves out; what the file says must be as it says."""
    if given.keys() != {name for name, value in present.items() if value is not None}:
        return True
    return any(not _is_within(value, present[name]) for name, value in given.items())


def _is_within(given: Any, present: Any) -> bool:
    if isinstance(given, dict) and isinstance(present, dict):
        # a value that is its default may be left out of what the server shows
        return all(_is_within(value, present.get(name, _none_of(value))) for name, value in given.items())
    return bool(given == present)


def _none_of(value: Any) -> Any:
    return type(value)() if isinstance(value, (int, float, str, list)) else value
