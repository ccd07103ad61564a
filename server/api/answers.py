"""How answers look on the wire: JSON in ModelBox's key order, its security headers, its error form."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import msgspec
from msgspec import UNSET
from msgspec.structs import replace
from sanic import HTTPResponse

from server.jobs.errors import (
    ChangeUnderWay,
    ConditionFailed,
    JobError,
    KeyReused,
    NoSuchJob,
    NotAllowed,
    NotAuthenticated,
    Place,
    StillAnswering,
    TooManyJobs,
    WrongMachine,
)
from server.jobs.state import Job
from server.jobs.words import Desired
from server.wire.bodies import Change, ErrorBody, FailedChange, JobBody

_STATUS: dict[type[JobError], int] = {
    NotAuthenticated: 401,
    NotAllowed: 403,
    NoSuchJob: 404,
    WrongMachine: 421,
    ChangeUnderWay: 409,
    StillAnswering: 409,
    ConditionFailed: 412,
    KeyReused: 422,
    TooManyJobs: 429,
}
"""The others are 400 (spec 8.3)."""

ANSWER_SOON_SECONDS = 1
ASYNC = {"Preference-Applied": "respond-async"}

SECURITY_HEADERS = {
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


class Answer(HTTPResponse):
    """A response without the headers that Sanic adds though they are empty."""

    @property
    def processed_headers(self) -> Iterator[tuple[bytes, bytes]]:
        if self.body and self.content_type:
            yield b"content-type", self.content_type.encode()
        for name, value in self.headers.items():
            if value != "":
                yield name.encode(), str(value).encode("latin-1", "replace")


def answer(
    status: int,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    content_type: str = "application/json",
) -> HTTPResponse:
    merged = SECURITY_HEADERS if headers is None else {**SECURITY_HEADERS, **headers}
    return Answer(body or None, status, merged, content_type=content_type)


def error_answer(
    status: int,
    code: str,
    message: str,
    headers: Mapping[str, str] | None = None,
    place: Place | None = None,
) -> HTTPResponse:
    body = ErrorBody(error_code=code, error_msg=message, detail=place or UNSET)
    return answer(status, msgspec.json.encode(body), headers)


def job_error_answer(error: JobError) -> HTTPResponse:
    headers = {}
    if isinstance(error, NotAuthenticated):
        headers["WWW-Authenticate"] = f'Bearer realm="modelbox-server"{error.challenge}'
    if isinstance(error, StillAnswering):
        headers["Retry-After"] = str(ANSWER_SOON_SECONDS)
    return error_answer(_STATUS.get(type(error), 400), error.code, str(error), headers, error.place)


def job_body(job: Job) -> bytes:
    return msgspec.json.encode(status_of(job))


def status_of(job: Job) -> JobBody:
    """The status of `job`, keys in alphabetical order as ModelBox writes them."""
    body = JobBody(job_error_msg=job.error, job_id=job.job_id, job_status=job.status)
    if job.desired is Desired.STOPPED:
        body = replace(body, desired="stopped")
    if job.last_exit is not None:
        body = replace(
            body,
            attempt=job.attempt,
            failures=job.failures,
            last_exit=job.last_exit,
            next_retry=job.retry_at,
        )
    if job.stalled is not None:
        body = replace(body, stalled=job.stalled)
    if job.changes.newest > 1:
        body = replace(body, version=job.revision, **_changes(job))
    return body


class AcceptedBody(JobBody, frozen=True, kw_only=True):
    """On record; it is not decided yet what comes of it."""

    http_status: ClassVar[int] = 202


def accepted(job: Job) -> AcceptedBody:
    return AcceptedBody(**msgspec.structs.asdict(status_of(job)))


def _changes(job: Job) -> dict[str, Any]:
    pending, failed = job.changes.pending, job.changes.failed
    fields: dict[str, Any] = {}
    if pending is not None:
        fields["change"] = Change(version=pending.revision, since=pending.at)
    if failed is not None:
        fields["failed_change"] = FailedChange(version=failed.revision, at=failed.at, message=failed.message)
    return fields


def job_list_body(bodies: list[bytes]) -> bytes:
    return b'{"job_list":[' + b",".join(bodies) + b"]}"
