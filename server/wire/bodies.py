"""Bodies of ModelBox's own endpoints, and of errors."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from server.jobs.errors import Place
from server.jobs.events import LastExit, Stall
from server.jobs.options import JobOptions
from server.jobs.words import JobStatus
from server.wire.validation import Problem


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True):
    """Every answer of 400 and above."""

    error_code: Annotated[str, Meta(description="MODELBOX_001 to MODELBOX_015")]
    error_msg: str
    detail: Annotated[Place | UnsetType, Meta(description="where, if that is known")] = UNSET
    problems: Annotated[
        list[Problem] | UnsetType, Meta(description="all that is wrong with the graph, for `dry_run`")
    ] = UNSET


class CreateBody(msgspec.Struct, frozen=True, kw_only=True):
    """A job to create. Fields that are not listed are ignored."""

    job_id: Annotated[str, Meta(pattern=r"^[0-9A-Za-z\-+~_][0-9A-Za-z\-+~_.]{1,63}$")]
    job_graph: Annotated[
        dict[str, Any] | str, Meta(description="the graph's configuration: an object, or text in job_graph_format")
    ]
    job_graph_format: Annotated[
        str | None, Meta(description="json or toml; an object is json, a text toml, when it is left out")
    ] = None
    options: JobOptions | None = None


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A change that is on its way: its engine is starting, while the one before it goes on."""

    version: int
    since: datetime


class FailedChange(msgspec.Struct, frozen=True, kw_only=True):
    """Why nothing came of the last change."""

    version: int
    at: datetime
    message: str


class ChangeBody(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be different."""

    job_graph: Annotated[
        dict[str, Any] | str | UnsetType, Meta(description="in place of the one that there is")
    ] = UNSET
    job_graph_format: Annotated[str | None, Meta(description="as for a create")] = None
    options: Annotated[
        dict[str, Any] | UnsetType,
        Meta(description="merged into the options that there are; null takes one away"),
    ] = UNSET


class JobBody(msgspec.Struct, frozen=True, kw_only=True):
    """ModelBox's three fields; and, once an engine of the job has come to its end, how it stands with its
    attempts. `stalled` is there while the flow stalls."""

    job_error_msg: Annotated[str, Meta(description="why it failed; empty when it did not")]
    job_id: str
    job_status: JobStatus
    desired: Annotated[
        Literal["stopped"] | UnsetType, Meta(description="no engine is wanted, until somebody starts the job")
    ] = UNSET
    attempt: Annotated[int | UnsetType, Meta(description="number of the newest engine")] = UNSET
    failures: Annotated[int | UnsetType, Meta(description="in a row")] = UNSET
    last_exit: LastExit | UnsetType = UNSET
    stalled: Annotated[Stall | UnsetType, Meta(description="its flow has input and makes no progress")] = UNSET
    next_retry: Annotated[datetime | UnsetType | None, Meta(description="null: no attempt is waited for")] = UNSET
    version: Annotated[int | UnsetType, Meta(description="of graph and options, once they were changed")] = UNSET
    change: Change | UnsetType = UNSET
    failed_change: FailedChange | UnsetType = UNSET


class JobListBody(msgspec.Struct, frozen=True, kw_only=True):
    """All jobs, oldest first."""

    job_list: list[JobBody]
