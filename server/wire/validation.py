"""What is said of a graph that somebody wants to run."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from server.jobs.options import JobOptions


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that is wrong; of the fields with a default only those that are known are there."""

    error_code: Annotated[str, Meta(description="what a create would answer for it alone")]
    message: str
    field: Annotated[str, Meta(description="of the body")] = ""
    status: Annotated[str, Meta(description="ModelBox's word for its kind, such as Not found")] = ""
    node: str = ""
    port: str = ""
    line: Annotated[
        int, Meta(description="of the DOT text, as the message counts; of the file when that cannot be read")
    ] = 0
    source_line: Annotated[int, Meta(description="of the text in job_graph")] = 0
    did_you_mean: Annotated[tuple[str, ...], Meta(description="names that are nearly what was written")] = ()
    available: Annotated[
        tuple[str, ...], Meta(description="names that could have been written; the first when there are many")
    ] = ()


class Validation(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a graph can run, as far as that can be told without running it."""

    valid: bool
    problems: list[Problem] = []
    warnings: Annotated[list[str], Meta(description="what is allowed and looks like a mistake")] = []
    nodes: Annotated[int, Meta(description="of a valid graph")] = 0
    edges: Annotated[int, Meta(description="of a valid graph")] = 0


class ValidateBody(msgspec.Struct, frozen=True, kw_only=True):
    """As to create a job; `job_id` may be left out."""

    job_graph: Annotated[
        dict[str, Any] | str, Meta(description="the graph's configuration: an object, or text in job_graph_format")
    ]
    job_graph_format: Annotated[
        str | None, Meta(description="json or toml; an object is json, a text toml, when it is left out")
    ] = None
    job_id: str | None = None
    options: JobOptions | None = None
