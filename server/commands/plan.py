"""What it takes for a server's jobs to be those of a folder: a pure function."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec

from server.commands.flow_files import FlowFile
from server.jobs.labels import LabelTest, all_pass
from server.jobs.options import NO_OPTIONS, JobOptions
from server.jobs.words import JobStatus
from server.wire.job_rows import JobRow, ServerDefaults

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


def plan(
    flows: Sequence[FlowFile],
    rows: Sequence[JobRow],
    defaults: ServerDefaults,
    *,
    prune: bool,
    only: Sequence[LabelTest] = (),
) -> list[Step]:
    """A step for each flow, in their order, then with `prune` for each other job created over REST whose labels
    pass `only`."""
    jobs = {str(row.job_id): row for row in rows}
    steps = [_step(flow, jobs.get(flow.job_id), defaults) for flow in flows]
    if prune:
        wanted = {flow.job_id for flow in flows}
        extra = sorted(job_id for job_id, row in jobs.items() if job_id not in wanted and _may_go(row, only))
        steps += [Step(Action.DELETE, job_id, "no file has it") for job_id in extra]
    return steps


def _may_go(row: JobRow, only: Sequence[LabelTest]) -> bool:
    return row.origin == OVER_REST and all_pass(only, _options_of(row).labels)


def _options_of(row: JobRow) -> JobOptions:
    return row.options or NO_OPTIONS


def _step(flow: FlowFile, row: JobRow | None, defaults: ServerDefaults) -> Step:
    if row is None:
        return Step(Action.CREATE, flow.job_id, flow=flow)
    if row.job_status is JobStatus.DELETEING:
        return Step(Action.REPLACE, flow.job_id, "it is being deleted", flow)
    present = msgspec.json.decode(msgspec.json.encode(row.options))
    given = {name: value for name, value in (flow.options or {}).items() if value is not None}
    differ = _completed(given, defaults) != _options_of(row)
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


def _completed(given: Mapping[str, Any], defaults: ServerDefaults) -> JobOptions | None:
    """The options that a job gets of which the file says this; None when it cannot have them."""
    whole = dict(given)
    for name, default in (("restart", defaults.restart), ("limits", defaults.limits)):
        if isinstance(given.get(name), dict):
            whole[name] = {**msgspec.to_builtins(default), **given[name]}
    try:
        return msgspec.convert(whole, JobOptions)
    except msgspec.ValidationError:
        return None
