"""Requests with an Idempotency-Key, as rows; and what a batch does to them."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa

from server.jobs.errors import KeyReused, StillAnswering
from server.jobs.once import AlreadyAnswered, Begun, KeptAnswer, Name, Once
from server.jobs.state import Job
from server.store.tables import KEYED_REQUEST

MOST_REMOVED = 32
"""Expired rows that one batch removes: more than it adds, most often, and never much work."""

NAME = sa.tuple_(KEYED_REQUEST.c.client, KEYED_REQUEST.c.key)


class KeyedRequests:
    """Those that a batch concerns, as read under the writer's lock; `changed` are those to be written."""

    def __init__(self, known: Mapping[Name, Begun], now: datetime) -> None:
        self._known = dict(known)
        self._now = now
        self.changed: dict[Name, Begun] = {}

    def resumed(self, once: Once) -> Begun | None:
        """What came of a request that was carried out and never answered, and is answered by `once.owner` from now
        on; None, when it is to be carried out.

        Raises: AlreadyAnswered, KeyReused, StillAnswering.
        """
        begun = self._of(once.name)
        if begun is None:
            return None
        check_same(begun, once)
        if begun.owner not in (once.owner, once.takes_over):
            raise StillAnswering
        begun = msgspec.structs.replace(begun, owner=once.owner, begun_at=self._now)
        self._put(once.name, begun)
        return begun

    def begin(self, once: Once, job: Job | None) -> None:
        """It has been carried out and left the job so."""
        self._put(once.name, self._new(once, None if job is None else msgspec.json.encode(job).decode()))

    def keep(self, once: Once, answer: KeptAnswer) -> None:
        """It is answered so; unless somebody else has it."""
        begun = self._of(once.name) or self._new(once, None)
        if begun.answer is None and (begun.owner, begun.fingerprint) == (once.owner, once.fingerprint):
            self._put(once.name, msgspec.structs.replace(begun, answer=answer))

    def _of(self, name: Name) -> Begun | None:
        begun = self._known.get(name)
        return begun if begun is not None and begun.expires_at > self._now else None

    def _new(self, once: Once, job: str | None) -> Begun:
        end = self._now + timedelta(seconds=once.keep_seconds)
        return Begun(fingerprint=once.fingerprint, owner=once.owner, begun_at=self._now, expires_at=end, job=job)

    def _put(self, name: Name, begun: Begun) -> None:
        self._known[name] = self.changed[name] = begun


def check_same(begun: Begun, once: Once) -> None:
    """Raises: KeyReused; AlreadyAnswered, when it has an answer."""
    if begun.fingerprint != once.fingerprint:
        raise KeyReused
    if begun.answer is not None:
        raise AlreadyAnswered(begun.answer)


def job_in(begun: Begun) -> Job | None:
    return None if begun.job is None else msgspec.json.decode(begun.job, type=Job)


def find(connection: sa.Connection, names: Iterable[Name]) -> dict[Name, Begun]:
    """What is remembered of them, be it expired or not."""
    rows = connection.execute(sa.select(KEYED_REQUEST).where(NAME.in_(list(names))))
    return {(row.client, row.key): _begun_of(row) for row in rows}


def write(connection: sa.Connection, changed: Mapping[Name, Begun], now: datetime) -> None:
    """Writes them, and removes some that have expired."""
    expired = (
        sa.select(KEYED_REQUEST.c.client, KEYED_REQUEST.c.key)
        .where(KEYED_REQUEST.c.expires_at <= now)
        .order_by(KEYED_REQUEST.c.expires_at)
        .limit(MOST_REMOVED)
    )
    connection.execute(sa.delete(KEYED_REQUEST).where(NAME.in_(expired)))
    connection.execute(sa.delete(KEYED_REQUEST).where(NAME.in_(list(changed))))
    connection.execute(sa.insert(KEYED_REQUEST), [_values(name, begun) for name, begun in changed.items()])


def _begun_of(row: Any) -> Begun:
    answer = None
    if row.status is not None:
        answer = KeptAnswer(row.status, msgspec.json.decode(row.headers, type=dict[str, str]), row.body)
    return Begun(
        fingerprint=row.fingerprint,
        owner=row.owner,
        begun_at=row.begun_at,
        expires_at=row.expires_at,
        job=row.job,
        answer=answer,
    )


def _values(name: Name, begun: Begun) -> dict[str, Any]:
    client, key = name
    answer = begun.answer
    return {
        "client": client,
        "key": key,
        "fingerprint": begun.fingerprint,
        "owner": begun.owner,
        "begun_at": begun.begun_at,
        "expires_at": begun.expires_at,
        "job": begun.job,
        "status": None if answer is None else answer.status,
        "headers": None if answer is None else msgspec.json.encode(answer.headers).decode(),
        "body": None if answer is None else answer.body,
    }
