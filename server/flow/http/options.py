"""The options of HTTP units, from node attributes to checked values (spec 7.3)."""

from urllib.parse import unquote, urlsplit

from server.flow.listeners import Endpoint
from server.flow.status import FlowError, StatusCode
from server.flow.unitapi import Configuration

DEFAULT_ENDPOINT = "http://127.0.0.1:8080"
MAX_REQUESTS = 1000
TIME_OUT_MS = 5000
KEEPALIVE_SECONDS = 200
_TLS_OPTIONS = ("cert", "key", "passwd", "key_pass")


def endpoint_text(config: Configuration) -> str:
    return config.get_string("endpoint") or DEFAULT_ENDPOINT


def parse_endpoint(text: str) -> Endpoint:
    """Raises: FlowError, when `text` is no http URL with a usable host and port."""
    try:
        url = urlsplit(text.strip())
        port = url.port
    except ValueError as error:
        raise FlowError(StatusCode.BADCONF, f"endpoint '{text}' is no URL: {error}") from None
    if url.scheme.lower() == "https":
        raise FlowError(StatusCode.NOTSUPPORT, f"endpoint '{text}': https cannot be served yet, use http")
    if url.scheme.lower() != "http" or not url.hostname:
        words = f"endpoint '{text}' must look like http://HOST:PORT/PATH"
        raise FlowError(StatusCode.BADCONF, words)
    if port == 0:
        raise FlowError(StatusCode.BADCONF, f"endpoint '{text}': port 0 is no port that a client could use")
    return Endpoint(url.hostname, 80 if port is None else port, unquote(url.path).rstrip("/"))


def refuse_tls(config: Configuration) -> None:
    """Raises: FlowError, when an option asks for TLS."""
    for name in _TLS_OPTIONS:
        if config.get_string(name):
            raise FlowError(StatusCode.NOTSUPPORT, f"option '{name}': https cannot be served yet, leave it out")


def positive(config: Configuration, *names: str, default: int) -> int:
    """The first of `names` that holds a whole number above 0, else the default: bad values are not refused."""
    for name in names:
        value = config.get_int(name)
        if value > 0:
            return value
    return default
