"""`GET /v1/modelbox/job/ID/log`: what an engine printed and logged, as it is written."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta
from sanic import Request

from server.api.endpoint import JOB, Endpoint, JobPath
from server.api.log_places import LogPlaces, Wish
from server.api.log_stream import LogLines, LogText, Reading
from server.api.parameters import InvalidParameter
from server.api.visible import VisibleJobs
from server.api.visitor import visitor_of
from server.engines.logs.files import Attempt, parse_place
from server.engines.logs.reader import Wanted
from server.jobs.errors import NoSuchJob
from server.jobs.ids import JobId
from server.moments import moment_of
from server.wire.logs import Level

MOST_TAIL = 100_000


class LogFormat(StrEnum):
    TEXT = "text"
    JSON = "json"


class LogQuery(msgspec.Struct, frozen=True, kw_only=True):
    attempt: Annotated[
        Annotated[int, Meta(ge=1, le=2**63 - 1)] | None,
        Meta(description="which attempt's log; the newest attempt's, if left out"),
    ] = None
    incarnation: Annotated[
        Annotated[int, Meta(ge=1, le=2**63 - 1)] | None,
        Meta(description="of which job of that id, 1 for the first; of the newest, if left out"),
    ] = None
    tail: Annotated[
        Annotated[int, Meta(ge=0, le=MOST_TAIL)] | None, Meta(description="only so many lines, the last")
    ] = None
    since: Annotated[
        str | None,
        Meta(description="a time in RFC 3339, or how long ago, such as 90s, 10m, 2h, 1d: nothing that is older"),
    ] = None
    after: Annotated[
        Annotated[str, Meta(max_length=80)] | None,
        Meta(description="go on behind the line with this `place`, in that attempt; not together with `tail`"),
    ] = None
    follow: Annotated[bool, Meta(description="go on with what is written from now on")] = False
    level: Annotated[
        Level | None, Meta(description="nothing of less weight; what is printed without a level counts as info")
    ] = None
    format: Annotated[LogFormat | None, Meta(description="text, unless `Accept` names application/x-ndjson")] = (
        None
    )


async def job_log(request: Request, path: JobPath, query: LogQuery) -> LogText | LogLines:
    """What a job's engine printed and logged: its stdout, its stderr and its units' log, in the order of writing.

    The log of the newest attempt, unless another is asked for; of a deleted job too, for as long as it is kept
    (`[log]` in the configuration). A job that has no log, or whose log has been removed, has an empty one.

    With `follow` the answer goes on, over restarts of the engine unless `attempt` is given, until the client goes
    away. A client that does not read is cut off after a minute; one that is too slow misses what is removed
    meanwhile, and is told so by a line.

    Bytes that are no text, and control characters, are shown as \\xNN; of a line at most 16 KiB are shown. Entries
    of units and of the engine begin with time and level, `[node]` where a node has written them, and further lines
    of an entry with a tab; other lines are what somebody printed. In JSON, the time of those is known to about a
    second. Who follows in JSON and loses the connection goes on with `after` = the last `place`, and misses and
    repeats nothing.

    When the engine ran on another machine, the answer is a 421 that names it.
    """
    after = None if query.after is None else _after(query)
    wish = Wish(incarnation=query.incarnation, attempt=query.attempt) if after is None else _wish_of(after)
    as_json = _is_json(request, query)
    wanted = Wanted(level=query.level, since=_since(query.since), as_json=as_json)
    places: LogPlaces = request.app.ctx.log_places
    place = await places.find(path.job_id, wish)
    is_shown = _who_sees(request, path.job_id)
    if not await is_shown(place.attempt):
        raise NoSuchJob
    reading = Reading(
        place=place,
        wanted=wanted,
        tail=query.tail,
        after=query.after,
        follow=query.follow,
        over_attempts=query.attempt is None and query.incarnation is None,
        is_shown=is_shown,
    )
    return LogLines(reading) if as_json else LogText(reading)


def _who_sees(request: Request, job_id: JobId) -> Callable[[Attempt], Awaitable[bool]]:
    scope = visitor_of(request).scope
    visible: VisibleJobs = request.app.ctx.visible

    async def is_shown(attempt: Attempt) -> bool:
        return not scope or await visible.is_life_visible(job_id, attempt.incarnation, scope)

    return is_shown


def _after(query: LogQuery) -> Attempt:
    for name in ("tail", "attempt", "incarnation"):
        if getattr(query, name) is not None:
            raise InvalidParameter(name, "does not go together with after")
    try:
        file, _ = parse_place(Path(), query.after or "")
    except ValueError:
        raise InvalidParameter("after", "must be the `place` of a line, as it stands in the JSON form") from None
    return file.attempt


def _wish_of(attempt: Attempt) -> Wish:
    return Wish(incarnation=attempt.incarnation, attempt=attempt.number)


def _is_json(request: Request, query: LogQuery) -> bool:
    if query.format is not None:
        return query.format is LogFormat.JSON
    return "application/x-ndjson" in request.headers.get("accept", "")


def _since(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return moment_of(text, datetime.now(UTC))
    except ValueError as error:
        raise InvalidParameter("since", str(error)) from None


ENDPOINTS = (Endpoint(method="GET", path=f"{JOB}log", handler=job_log, tag="logs", errors=(404, 421, 503)),)
