"""`GET /v1/modelbox/jobs`: the jobs by page, filtered, sorted, counted."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta
from sanic import Request

from server.api.endpoint import Endpoint
from server.api.job_index import Filter, JobIndex, Key, Sort, key_type
from server.api.job_rows import FIELDS, row_of
from server.api.parameters import InvalidParameter
from server.api.rights import Scoped
from server.api.visitor import visitor_of
from server.jobs.labels import LabelTest, label_test
from server.jobs.words import JobStatus
from server.wire.job_rows import JobPage

Moment = Annotated[datetime, Meta(tz=True)]


class JobsQuery(msgspec.Struct, frozen=True, kw_only=True):
    status: Annotated[tuple[JobStatus, ...], Meta(description="only jobs in one of these")] = ()
    text: Annotated[str, Meta(description="only jobs with this in their id or error, in any case")] = ""
    label: Annotated[
        tuple[str, ...],
        Meta(
            description="only jobs with this label: `NAME=VALUE`, or `NAME` whatever its value; or without it:"
            " `NAME!=VALUE`, `!NAME`. Given more than once, all must be so"
        ),
    ] = ()
    created_after: Moment | None = None
    created_before: Moment | None = None
    changed_after: Moment | None = None
    changed_before: Moment | None = None
    sort: Annotated[Sort, Meta(description="a minus sign: downwards")] = Sort.CREATED
    fields: Annotated[
        tuple[Annotated[str, Meta(extra_json_schema={"enum": list(FIELDS)})], ...],
        Meta(description="the fields of each job; all of them, if left out"),
    ] = ()
    limit: Annotated[int, Meta(ge=1, le=1000, description="jobs a page")] = 100
    cursor: Annotated[str | None, Meta(description="`next` of the page before")] = None


async def list_jobs(request: Request, query: JobsQuery) -> JobPage:
    """The jobs, page by page.

    A job must pass all filters. A page begins behind the last job of the one before, in the order asked for,
    whatever was created, deleted or changed meanwhile. Sorted by `created` or `job_id`, a job that is there all
    the time comes once, on one page. Sorted by what changes, a job that changes while pages are read may come
    twice or, when it moves to a place that was passed, not at all: watch from `position` to see it.
    """
    index: JobIndex = request.app.ctx.index
    for name in query.fields:
        if name not in FIELDS:
            raise InvalidParameter("fields", f"there is no field '{name[:64]}'; there are: {', '.join(FIELDS)}")
    wanted = Filter(
        statuses=frozenset(query.status),
        text=query.text,
        labels=_labels(query.label),
        created_after=query.created_after,
        created_before=query.created_before,
        changed_after=query.changed_after,
        changed_before=query.changed_before,
        scope=visitor_of(request).scope,
    )
    found = await index.page(wanted, query.sort, _key_in(query.cursor, query.sort), query.limit)
    return JobPage(
        jobs=[row_of(job, query.fields or FIELDS) for job in found.jobs],
        next=None if found.last is None else _cursor(found.last, query.sort),
        total=found.total,
        counts={status.value: count for status, count in sorted(found.counts.items())},
        defaults=request.app.ctx.full_statuses.defaults,
        position=found.position,
    )


def _labels(given: tuple[str, ...]) -> tuple[LabelTest, ...]:
    try:
        return tuple(label_test(text) for text in given)
    except ValueError as error:
        raise InvalidParameter("label", str(error)) from error


def _cursor(key: Key, sort: Sort) -> str:
    return urlsafe_b64encode(msgspec.json.encode([sort, key])).rstrip(b"=").decode()


def _key_in(cursor: str | None, sort: Sort) -> Key | None:
    if cursor is None:
        return None
    try:
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        of, key = msgspec.json.decode(text, type=tuple[Sort, msgspec.Raw])
        if of is sort:
            found: Key = msgspec.json.decode(key, type=key_type(sort))
            return found
    except (ValueError, msgspec.MsgspecError):
        pass
    raise InvalidParameter("cursor", "no cursor of this list in this order; leave it out to begin anew")


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/v1/modelbox/jobs",
        handler=list_jobs,
        tag="list",
        errors=(503,),
        scoped=Scoped.FILTERED,
    ),
)
