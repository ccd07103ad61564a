"""Events of the log in the form that the API shows them in."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from server.jobs.events import SHOWN_TYPES

_WHAT = {
    "type": "object",
    "anyOf": [{"$ref": f"#/components/schemas/{kind.__name__}"} for kind in SHOWN_TYPES],
    "additionalProperties": True,
}


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened, as it stands in the log; or, of type `in-archive`, what is in a file by now."""

    position: Annotated[
        int,
        Meta(
            description="its place in the log, from 1, without holes; of `in-archive` the last that it stands for"
        ),
    ]
    time: datetime
    type: Annotated[str, Meta(description="such as job-created; more types may come")]
    job: Annotated[str | None, Meta(description="null for what belongs to no job")]
    incarnation: Annotated[int | None, Meta(description="2 for the second job of that id, and so on")]
    number: Annotated[int | None, Meta(description="counts the events of an incarnation, from 1")]
    actor: Annotated[str, Meta(description="who asked for it or saw it")]
    request_id: Annotated[str, Meta(description="of the request that asked for it; empty when none did")]
    idempotency_key: Annotated[str | None, Meta(description="of that request; null when it had none")] = None
    epoch: Annotated[int | None, Meta(description="of the leader that recorded it; null when none did")]
    what: Annotated[msgspec.Raw, Meta(description="the event's own fields", extra_json_schema=_WHAT)]
    why: Annotated[str, Meta(description="a sentence for people")]


class EventPage(msgspec.Struct, frozen=True, kw_only=True):
    """Part of the log, oldest first."""

    events: list[Entry]
    next: Annotated[int, Meta(description="ask for `after` this to go on; at the end of the log it is `head`")]
    head: Annotated[int, Meta(description="position of the log's last event")]


class HistoryPage(msgspec.Struct, frozen=True, kw_only=True):
    """Part of what happened to the jobs of one id."""

    job: str
    events: list[Entry]
    next: Annotated[int | None, Meta(description="the `cursor` of the next page; null when this is the last")]
