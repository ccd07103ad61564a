"""Events of the log in the form that the API shows them in."""

import msgspec

from server.jobs.events import Recorded, UnknownEvent, encode_event
from server.jobs.sentences import sentence_of
from server.wire.entries import Entry


def entry_of(recorded: Recorded) -> Entry:
    event = recorded.event
    of_job = recorded.job_id != ""
    return Entry(
        position=recorded.position,
        time=recorded.recorded_at,
        type=recorded.type,
        job=recorded.job_id if of_job else None,
        incarnation=recorded.incarnation if of_job else None,
        number=recorded.version if of_job else None,
        actor=recorded.actor,
        request_id=recorded.request_id,
        idempotency_key=recorded.idempotency_key,
        epoch=recorded.epoch,
        what=event.data if isinstance(event, UnknownEvent) else msgspec.Raw(encode_event(event).encode()),
        why=sentence_of(recorded),
    )
