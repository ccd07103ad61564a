"""One HTTP request to elsewhere, for units. Blocks: for worker threads only, never for the event loop."""

import http.client
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import quote, urlsplit

MAX_RESPONSE = 16 * 1024 * 1024
_PIECE = 65536
_SAFE = "/%:=&?~#+!$,;'@()*[]"


class BadUrl(ValueError):
    """The URL cannot be requested."""


def check_url(url: str) -> None:
    """Raises: BadUrl, when `url` is no http or https URL."""
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
            raise ValueError("it must look like http://HOST:PORT/PATH")
    except ValueError as error:
        raise BadUrl(f"'{url}' is no URL: {error}") from None


def call(
    method: str, url: str, headers: Mapping[str, str], body: bytes = b"", *, seconds: float, verify: bool = True
) -> tuple[int, bytes]:
    """The status and the body of the answer. Redirects are not followed.

    Raises: BadUrl; OSError or http.client.HTTPException, when there is no answer in `seconds`, or a body of more
    than MAX_RESPONSE bytes; ValueError, when a header cannot be sent.
    """
    check_url(url)
    parts = urlsplit(url)
    connection = _connection(parts.scheme, parts.hostname or "", parts.port, seconds, verify)
    # each read has the connection's time-out; a server that sends a byte now and then is cut off by the watchdog
    is_late = threading.Event()
    watchdog = threading.Timer(seconds, _cut, (connection, is_late))
    watchdog.daemon = True
    watchdog.start()
    try:
        target = quote(parts.path or "/", safe=_SAFE) + (
            f"?{quote(parts.query, safe=_SAFE)}" if parts.query else ""
        )
        connection.request(method, target, body=body or None, headers=dict(headers))
        answer = connection.getresponse()
        pieces = []
        size = 0
        while piece := answer.read1(_PIECE):
            size += len(piece)
            if size > MAX_RESPONSE:
                raise OSError(f"the answer of {url} is larger than {MAX_RESPONSE} bytes")
            pieces.append(piece)
        if is_late.is_set():
            raise TimeoutError(f"the answer of {url} takes longer than {seconds:g} s")
        if answer.length:
            raise OSError(f"the answer of {url} breaks off, {answer.length} bytes are missing")
        return answer.status, b"".join(pieces)
    finally:
        watchdog.cancel()
        connection.close()


def _cut(connection: http.client.HTTPConnection, is_late: threading.Event) -> None:
    is_late.set()
    with suppress(OSError, AttributeError):
        connection.sock.shutdown(socket.SHUT_RDWR)


def _connection(
    scheme: str, host: str, port: int | None, seconds: float, verify: bool
) -> http.client.HTTPConnection:
    if scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=seconds)
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(host, port, timeout=seconds, context=context)
