"""Checksums: each event's chains to the one before, each row of the projection has its own.

What is hashed is a canonical form, not the bytes of the row, so that a database that writes JSON or time in its
own way (Postgres sorts the keys of jsonb) gives the same checksum. docs/decisions/0008 says it for other programs.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, NewType

import msgspec

from server.jobs.state import Job
from server.store.tables import EVENT, time_text

Checksum = NewType("Checksum", str)
"""SHA-256 in hex."""

BEGINNING = Checksum("")
"""What the first event's checksum chains to."""

HASHED = tuple(column.name for column in EVENT.columns if column.name != "checksum")
"""The columns of `event` that its checksum covers, in their order: all others."""


def _number(text: str) -> float:
    number = float(text)
    return int(number) if number.is_integer() else number  # jsonb turns 1e3 into 1000


_DECODER = msgspec.json.Decoder(float_hook=_number)


def event_checksum(previous: Checksum, row: Sequence[Any]) -> Checksum:
    """The checksum of an event. `row` has the columns HASHED: `data` as JSON text, `recorded_at` as a datetime or
    as the text of time_text.

    Raises: ValueError, when `data` is no JSON or the time has no zone.
    """
    position, job_id, incarnation, version, kind, schema_version, data, *rest, recorded_at = row
    line = msgspec.json.encode(
        (
            position,
            job_id,
            incarnation,
            version,
            kind,
            schema_version,
            _DECODER.decode(data),
            *rest,
            recorded_at if isinstance(recorded_at, str) else time_text(recorded_at),
        ),
        order="sorted",
    )
    return Checksum(sha256(previous.encode() + b"\n" + line).hexdigest())


def job_checksum(job: Job) -> Checksum:
    """The checksum of a job's row: of the job that it stands for."""
    # the only times that come from outside, with the zone of who wrote them
    if job.retry_at is not None or job.interval_began is not None:
        job = msgspec.structs.replace(
            job, retry_at=_in_utc(job.retry_at), interval_began=_in_utc(job.interval_began)
        )
    # Postgres gives back the members of an object, such as labels, in an order of its own
    return Checksum(sha256(msgspec.json.encode(job, order="deterministic")).hexdigest())


def _in_utc(at: datetime | None) -> datetime | None:
    return None if at is None else at.astimezone(UTC)


def text_checksum(text: str) -> Checksum:
    return Checksum(sha256(text.encode("utf-8", "surrogatepass")).hexdigest())
