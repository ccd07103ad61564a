"""What happened: the log of all jobs, and each job's history, as pages and as streams."""

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta
from sanic import Request

from server.api.endpoint import JOB, Endpoint, JobPath
from server.api.entries import entry_of
from server.api.feed import Feed, Part
from server.api.parameters import InvalidParameter
from server.api.rights import Scoped
from server.api.scoped_feed import ScopedFeed
from server.api.stream import EventStream
from server.api.visible import VisibleJobs
from server.api.visitor import visitor_of
from server.jobs.errors import NoSuchJob
from server.jobs.events import Recorded
from server.jobs.ids import JobId, Position
from server.store.history import History, Wanted
from server.wire.entries import EventPage, HistoryPage

TAG = "history"
MOST_SECONDS = 60
"""The longest wait for something to happen."""
LAST_EVENT_ID = "Last-Event-ID"

Place = Annotated[int, Meta(ge=0, le=2**63 - 1, description="a position in the log")]
Limit = Annotated[int, Meta(ge=1, le=1000)]
Types = tuple[Annotated[str, Meta(min_length=1, max_length=64, pattern="^[a-z0-9-]+$")], ...]


class Order(StrEnum):
    OLDEST = "oldest"
    NEWEST = "newest"


class HistoryQuery(msgspec.Struct, frozen=True, kw_only=True):
    order: Annotated[Order, Meta(description="which comes first")] = Order.OLDEST
    limit: Annotated[Limit, Meta(description="events a page")] = 100
    cursor: Annotated[Place | None, Meta(description="`next` of the page before")] = None


class JobEventsQuery(msgspec.Struct, frozen=True, kw_only=True):
    after: Annotated[
        Place | None,
        Meta(description="what is behind this position; 0, or in a stream the log's end, if left out"),
    ] = None
    limit: Annotated[Limit, Meta(description="events a page; a stream has no pages")] = 100
    type: Annotated[Types, Meta(description="only events of these types")] = ()
    wait: Annotated[
        Annotated[float, Meta(ge=0, le=MOST_SECONDS)],
        Meta(description="seconds to wait for the first event when there is none yet"),
    ] = 0.0


class EventsQuery(JobEventsQuery, frozen=True, kw_only=True):
    job: Annotated[str | None, Meta(description="only events of the jobs of this id")] = None


async def job_history(request: Request, path: JobPath, query: HistoryQuery) -> HistoryPage:
    """What happened to a job, page by page.

    Of all jobs that ever had that id, deleted ones too. What a crash loop does is summed up in it, see decision 9.
    For a token with a label scope, a page may have fewer events than `limit` though it is not the last.
    """
    history: History = request.app.ctx.history
    cursor = None if query.cursor is None else Position(query.cursor)
    newest_first = query.order is Order.NEWEST
    events = await history.of_job(path.job_id, cursor, query.limit + 1, newest_first=newest_first)
    if events is None:
        raise NoSuchJob
    page = events[: query.limit]
    return HistoryPage(
        job=path.job_id,
        events=[entry_of(recorded) for recorded in page if await _is_shown(request, recorded)],
        next=page[-1].position if len(events) > len(page) else None,
    )


async def _is_shown(request: Request, recorded: Recorded) -> bool:
    scope = visitor_of(request).scope
    visible: VisibleJobs = request.app.ctx.visible
    return not scope or await visible.is_life_visible(recorded.job_id, recorded.incarnation, scope)


async def job_events(request: Request, path: JobPath, query: JobEventsQuery) -> EventPage | EventStream:
    """What happens to a job: as a page of its events, or as a stream of server-sent events.

    As GET /v1/modelbox/events, of one job.
    """
    if not await request.app.ctx.history.is_known(path.job_id):
        raise NoSuchJob
    return await _events(request, query, path.job_id)


async def all_events(request: Request, query: EventsQuery) -> EventPage | EventStream:
    """What happens to all jobs: as a page of the log, or as a stream of server-sent events.

    A request with `Accept: text/event-stream` gets a stream that goes on until one side ends it. Each event's `id`
    is its position; a client that comes back with `Last-Event-ID` (as browsers do) misses nothing and gets nothing
    twice, whatever was restarted meanwhile. An `id` without an event comes after 15 seconds of silence. A client
    that does not read is cut off after 10 seconds.

    Any other request gets a page. With `wait` it is answered when there is something to tell, or when the time is
    up: ask again with `after` = `next`.
    """
    return await _events(request, query, None if query.job is None else JobId(query.job))


async def _events(request: Request, query: JobEventsQuery, job_id: JobId | None) -> EventPage | EventStream:
    feed = _feed_for(request)
    wanted = Wanted(job_id=job_id, types=frozenset(query.type))
    after = None if query.after is None else Position(query.after)
    if "text/event-stream" not in request.headers.get("accept", ""):
        return await _page(feed, after or Position(0), query, wanted)
    last_id = _last_event_id(request)
    position = after if last_id is None else last_id
    if position is None:
        position = feed.position
    elif (await feed.after(position, 1, wanted)).head < position:
        raise _beyond_the_end("after") if last_id is None else _beyond_the_end(LAST_EVENT_ID, "header")
    return EventStream(feed, position, wanted)


def _feed_for(request: Request) -> Feed | ScopedFeed:
    scope = visitor_of(request).scope
    feed: Feed = request.app.ctx.feed
    return ScopedFeed(feed, request.app.ctx.visible, scope) if scope else feed


def _beyond_the_end(name: str, kind: str = "query parameter") -> InvalidParameter:
    reason = (
        "this position is behind the end of the log; it is of another log, or of events that were lost with it"
    )
    return InvalidParameter(name, reason, kind)


def _last_event_id(request: Request) -> Position | None:
    text = request.headers.get(LAST_EVENT_ID)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise InvalidParameter(LAST_EVENT_ID, "must be the position of an event", "header")
    return Position(int(text))


async def _page(feed: Feed | ScopedFeed, after: Position, query: JobEventsQuery, wanted: Wanted) -> EventPage:
    part = await feed.read(after, query.limit, wanted)
    if part.head < after:
        raise _beyond_the_end("after")
    if not part.events and query.wait:
        part = await feed.first(part.looked_at, query.limit, wanted, query.wait)
    return _page_of(part)


def _page_of(part: Part) -> EventPage:
    return EventPage(events=[fed.entry for fed in part.events], next=part.looked_at, head=part.head)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/v1/modelbox/events",
        handler=all_events,
        tag=TAG,
        errors=(503,),
        scoped=Scoped.FILTERED,
    ),
    Endpoint(method="GET", path=f"{JOB}history", handler=job_history, tag=TAG, errors=(404, 503)),
    Endpoint(method="GET", path=f"{JOB}events", handler=job_events, tag=TAG, errors=(404, 503)),
)
