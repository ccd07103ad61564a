"""All jobs in memory, made ready to be filtered, counted, sorted and paged."""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from server.api.visible import in_scope
from server.jobs.access import EVERYTHING, Labels
from server.jobs.ids import JobId, Position
from server.jobs.labels import LabelKey, LabelTest, keys_of
from server.jobs.state import Job
from server.jobs.words import JobStatus
from server.store.follower import Follower

Key = tuple[str | int, str]
"""Where a job stands in an order: the value that is sorted by, then its id."""


class Sort(StrEnum):
    CREATED = "created"
    NEWEST = "-created"
    CHANGED = "changed"
    LAST_CHANGED = "-changed"
    ID = "job_id"
    ID_DOWN = "-job_id"
    STATUS = "job_status"
    STATUS_DOWN = "-job_status"

    @property
    def is_descending(self) -> bool:
        return self.value.startswith("-")

    @property
    def field(self) -> str:
        return self.value.removeprefix("-")


class Indexed(msgspec.Struct, frozen=True):
    """A job, with what is asked of each at every list request worked out once."""

    job: Job
    status: JobStatus
    text: str
    created: int
    changed: int
    labels: frozenset[LabelKey]


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    statuses: frozenset[JobStatus] = frozenset()
    text: str = ""
    labels: tuple[LabelTest, ...] = ()
    created_after: datetime | None = None
    created_before: datetime | None = None
    changed_after: datetime | None = None
    changed_before: datetime | None = None
    scope: Labels = EVERYTHING


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """`jobs` are one page; `counts` says how many pass the filter apart from its statuses, by status."""

    jobs: list[Job]
    last: Key | None
    total: int
    counts: dict[JobStatus, int]
    position: Position


class JobIndex:
    def __init__(self, follower: Follower) -> None:
        """`follower` has been loaded."""
        self._follower = follower
        self._jobs: dict[JobId, Indexed] = {}
        self._orders: dict[str, list[Indexed]] = {}
        self._update(follower.jobs.keys())
        follower.subscribe(self._update)

    async def page(self, wanted: Filter, sort: Sort, behind: Key | None, limit: int) -> Found:
        """Up to `limit` jobs behind the key `behind` in the order asked for; `last` is the key of the page's last
        job when there are more. Raises: StoreUnavailable."""
        if not self._follower.is_current():
            await self._follower.catch_up()
        key = _KEYS[sort.field]
        passing = _passing(self._ordered(sort.field), wanted)
        counts = Counter(one.status for one in passing)
        if wanted.statuses:
            passing = [one for one in passing if one.status in wanted.statuses]
        if sort.is_descending:
            end = len(passing) if behind is None else bisect_left(passing, behind, key=key)
            page, more = passing[max(end - limit, 0) : end][::-1], end > limit
        else:
            start = 0 if behind is None else bisect_right(passing, behind, key=key)
            page, more = passing[start : start + limit], len(passing) > start + limit
        # what was appended here may be newer than the position: who watches from there is told it again
        return Found(
            jobs=[one.job for one in page],
            last=key(page[-1]) if more else None,
            total=len(passing),
            counts=dict(counts),
            position=self._follower.position,
        )

    def _ordered(self, field: str) -> list[Indexed]:
        """All jobs by that field; sorted once until something changes."""
        if field not in self._orders:
            self._orders[field] = sorted(self._jobs.values(), key=_KEYS[field])
        return self._orders[field]

    def _update(self, changed: Iterable[JobId]) -> None:
        for job_id in changed:
            self._orders.clear()
            job = self._follower.jobs.get(job_id)
            if job is None:
                self._jobs.pop(job_id, None)
            else:
                self._jobs[job_id] = _indexed(job)


def _indexed(job: Job) -> Indexed:
    text = f"{job.job_id}\n{job.error}".casefold()
    created, changed = _microseconds(job.created_at), _microseconds(job.changed_at)
    return Indexed(job, job.status, text, created, changed, keys_of(job.options.labels))


def _microseconds(at: datetime) -> int:
    return int(at.timestamp()) * 1_000_000 + at.microsecond


_KEYS: dict[str, Callable[[Indexed], Key]] = {
    "created": lambda one: (one.created, one.job.job_id),
    "changed": lambda one: (one.changed, one.job.job_id),
    "job_id": lambda one: (one.job.job_id, ""),
    "job_status": lambda one: (one.status.value, one.job.job_id),
}


def key_type(sort: Sort) -> Any:
    """The type of the keys of an order, which never mix."""
    return tuple[str, str] if sort.field in ("job_id", "job_status") else tuple[int, str]


def _passing(passing: list[Indexed], wanted: Filter) -> list[Indexed]:
    if wanted.scope:
        passing = [one for one in passing if in_scope(one.job, wanted.scope)]
    for test in wanted.labels:
        key, negated = test.key, test.negated
        passing = [one for one in passing if (key in one.labels) is not negated]
    if wanted.text:
        text = wanted.text.casefold()
        passing = [one for one in passing if text in one.text]
    if wanted.created_after or wanted.created_before:
        after, before = wanted.created_after, wanted.created_before
        passing = [one for one in passing if _is_between(after, one.job.created_at, before)]
    if wanted.changed_after or wanted.changed_before:
        after, before = wanted.changed_after, wanted.changed_before
        passing = [one for one in passing if _is_between(after, one.job.changed_at, before)]
    return passing


def _is_between(after: datetime | None, at: datetime, before: datetime | None) -> bool:
    return (after is None or after < at) and (before is None or at < before)
