"""Responses as bytes."""

from http import HTTPStatus

from server.flow.http.services import Answer

SECURITY = (
    b"X-Frame-Options: DENY\r\n"
    b"Referrer-Policy: strict-origin-when-cross-origin\r\n"
    b"Content-Security-Policy: default-src 'self'; frame-ancestors 'none'\r\n"
)
ALLOW = "POST, GET, DELETE, PUT"
_OURS = frozenset(
    {"content-length", "transfer-encoding", "connection", "keep-alive", "date", "trailer", "upgrade"}
)
_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
_FORBIDDEN = ("\r", "\n", "\0")


def head_of(answer: Answer, keep_alive: bool) -> bytes:
    """The status line and the headers, with the empty line that ends them."""
    parts = [_STATUS_LINES.get(answer.status) or f"HTTP/1.1 {answer.status} Unknown\r\n".encode(), SECURITY]
    content_type = answer.content_type
    for name, value in answer.headers.items():
        lowered = name.lower()
        if lowered in _OURS or not _is_sane(name, value):
            continue
        if lowered == "content-type":
            content_type = value
            continue
        parts.append(f"{name}: {value}\r\n".encode("latin-1", "replace"))
    if has_body(answer.status):
        if content_type:
            parts.append(f"Content-Type: {content_type}\r\n".encode("latin-1", "replace"))
        parts.append(b"Content-Length: %d\r\n" % size_of(answer))
    parts.append(b"Connection: keep-alive\r\n\r\n" if keep_alive else b"Connection: close\r\n\r\n")
    return b"".join(parts)


def has_body(status: int) -> bool:
    return status not in (204, 304)


def size_of(answer: Answer) -> int:
    return answer.body.nbytes if isinstance(answer.body, memoryview) else len(answer.body)


def _is_sane(name: str, value: str) -> bool:
    """A header that cannot break out of its line."""
    if not name or not name.isascii() or any(not (c.isalnum() or c in "!#$%&'*+-.^_`|~") for c in name):
        return False
    return not any(c in value for c in _FORBIDDEN)
