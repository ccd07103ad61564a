"""How answers look on the wire: JSON in ModelBox's key order, its security headers, its error form."""

from collections.abc import Iterator, Mapping

import msgspec
from sanic import HTTPResponse

from server.jobs.errors import JobError, NoSuchJob, TooManyJobs
from server.jobs.state import Job

_STATUS: dict[type[JobError], int] = {NoSuchJob: 404, TooManyJobs: 429}
"""The others are 400 (spec 8.3)."""

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


def answer(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> HTTPResponse:
    merged = SECURITY_HEADERS if headers is None else {**SECURITY_HEADERS, **headers}
    return Answer(body or None, status, merged, content_type="application/json")


def error_answer(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> HTTPResponse:
    return answer(status, msgspec.json.encode({"error_code": code, "error_msg": message}), headers)


def job_error_answer(error: JobError) -> HTTPResponse:
    return error_answer(_STATUS.get(type(error), 400), error.code, str(error))


def job_body(job: Job) -> bytes:
    """ModelBox's three fields, keys in alphabetical order as it writes them; and, once an engine of the job has come
    to its end, how it stands with its attempts."""
    fields: dict[str, object] = {
        "job_error_msg": job.error,
        "job_id": job.job_id,
        "job_status": job.status.value,
    }
    if job.last_exit is not None:
        fields |= {
            "attempt": job.attempt,
            "failures": job.failures,
            "last_exit": job.last_exit,
            "next_retry": job.retry_at,
        }
    return msgspec.json.encode(fields)


def job_list_body(bodies: list[bytes]) -> bytes:
    return b'{"job_list":[' + b",".join(bodies) + b"]}"
