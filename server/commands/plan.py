"""What it takes for a server's jobs to be those of a folder: a pure function."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
    REPLACE = "replace"
    DELETE = "delete"
    UNCHANGED = "unchanged"


@dataclass(frozen=True)
class Step:
    """`flow` is None for a delete. `why` is empty for what needs no reason."""

    action: Action
    job_id: str
    why: str = ""
    flow: FlowFile | None = None

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
    why = _difference(flow, row)
    if why:
        return Step(Action.REPLACE, flow.job_id, why, flow)
    return Step(Action.UNCHANGED, flow.job_id, str(row.job_status), flow)


def _difference(flow: FlowFile, row: JobRow) -> str:
    if row.job_status is JobStatus.DELETEING:
        return "it is being deleted"
    differences = ["its graph"] if row.graph_digest != flow.digest else []
    present = msgspec.json.decode(msgspec.json.encode(row.options))
    differences += ["its options"] if _differ(flow.options or {}, present) else []
    return f"{' and '.join(differences)} changed" if differences else ""


def _differ(given: Mapping[str, Any], present: Mapping[str, Any]) -> bool:
    """The server completes what an option leaves out; what the file says must be as it says."""
    given = {name: value for name, value in given.items() if value is not None}
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
