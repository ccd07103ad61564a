"""How answers look on the wire: JSON in ModelBox's key order, its security headers, its error form."""

from collections.abc import Mapping

import msgspec
from sanic import HTTPResponse

from server.jobs.errors import JobError, NoSuchJob
from server.jobs.state import Job

SECURITY_HEADERS = {
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
_NO_BODY_STATUS = (204, 304)


def answer(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> HTTPResponse:
    merged = SECURITY_HEADERS if headers is None else {**SECURITY_HEADERS, **headers}
    content_type = "application/json" if body else None
    return HTTPResponse(
        None if status in _NO_BODY_STATUS else body, status, dict(merged), content_type=content_type
    )


def error_answer(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> HTTPResponse:
    return answer(status, msgspec.json.encode({"error_code": code, "error_msg": message}), headers)


def job_error_answer(error: JobError) -> HTTPResponse:
    status = 404 if isinstance(error, NoSuchJob) else 400
    return error_answer(status, error.code, str(error))


def job_body(job: Job) -> bytes:
    """ModelBox's three fields, keys in alphabetical order as it writes them."""
    return msgspec.json.encode({"job_error_msg": job.error, "job_id": job.job_id, "job_status": job.status.value})


def job_list_body(bodies: list[bytes]) -> bytes:
    return b'{"job_list":[' + b",".join(bodies) + b"]}"
