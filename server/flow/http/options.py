"""The options of HTTP units, from node attributes to checked values (spec 7.3)."""

import logging
from urllib.parse import SplitResult, unquote, urlsplit

from server.flow.listeners import Endpoint
from server.flow.status import FlowError, StatusCode
from server.flow.unitapi import Configuration

DEFAULT_ENDPOINT = "http://127.0.0.1:8080"
MAX_REQUESTS = 1000
TIME_OUT_MS = 5000
KEEPALIVE_SECONDS = 200
log = logging.getLogger("server.flow")
_DEFAULT_PORTS = {"http": 80, "https": 443}


def endpoint_text(config: Configuration) -> str:
    text = config.get_string("endpoint")
    if not text:
        log.warning("an HTTP unit has no option endpoint, so it listens on %s", DEFAULT_ENDPOINT)
    return text or DEFAULT_ENDPOINT


def parse_endpoint(text: str) -> Endpoint:
    """Raises: FlowError, when `text` is no http or https URL with a usable host and port."""
    try:
        url = urlsplit(text.strip())
        port = url.port
    except ValueError as error:
        raise FlowError(StatusCode.BADCONF, f"endpoint '{text}' is no URL: {error}") from None
    scheme = url.scheme.lower()
    _check(text, scheme, url)
    if port == 0:
        raise FlowError(StatusCode.BADCONF, f"endpoint '{text}': port 0 is no port that a client could use")
    return Endpoint(
        host=url.hostname or "",
        port=_DEFAULT_PORTS[scheme] if port is None else port,
        # decoded as paths of requests are, so that the two can be compared
        path=unquote(url.path, errors="surrogateescape").rstrip("/"),
        tls=scheme == "https",
    )


def _check(text: str, scheme: str, url: SplitResult) -> None:
    if scheme not in _DEFAULT_PORTS or not url.hostname:
        words = f"endpoint '{text}' must look like http://HOST:PORT/PATH or https://HOST:PORT/PATH"
        raise FlowError(StatusCode.BADCONF, words)
    if url.query or url.fragment:
        words = f"endpoint '{text}': leave out what follows the path, a path prefix is all that can be served"
        raise FlowError(StatusCode.BADCONF, words)
    if "@" in url.netloc:
        words = f"endpoint '{text}': leave out the user in front of '@', requests are not authenticated"
        raise FlowError(StatusCode.BADCONF, words)


def positive(config: Configuration, *names: str, default: int) -> int:
    """The first of `names` that holds a whole number above 0, else the default: bad values are not refused."""
    for name in names:
        value = config.get_int(name)
        if value > 0:
            return value
    return default
