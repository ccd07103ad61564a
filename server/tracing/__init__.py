"""Traces for OpenTelemetry: what a process did because of whom, and how long it took.

Off unless an endpoint is configured, and then the packages of the extra `tracing` are needed; without, nothing of
them is imported. Places travel between processes as the text of the header `traceparent` (W3C Trace Context).
May be used by everything, imports nothing of the server.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from importlib.util import find_spec
from typing import Annotated, Protocol

import msgspec

from server.errors import StartError

Attributes = Mapping[str, str | int | float | bool]

_TRACEPARENT = re.compile(r"(?:^|\s)(00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2})$")
MISSING = (
    "tracing.endpoint is set, but the packages for it are not there: pip install 'modelbox-server[tracing]', or"
    " leave the endpoint out"
)


class TracingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`endpoint`: the URL that takes traces as OTLP over HTTP, "" for none. `sample`: which share of the traces
    that begin here is recorded; of others, who began them has decided. `max_waiting`: spans that wait to be sent;
    more are dropped."""

    endpoint: Annotated[str, msgspec.Meta(pattern=r"^(https?://\S+)?$")] = ""
    sample: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    max_waiting: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 2048


OFF = TracingSettings()


class Kind(StrEnum):
    SERVER = "server"
    INTERNAL = "internal"


class Span(Protocol):
    """Something that takes time. All methods may be called from any thread, and none raises or blocks."""

    @property
    def traceparent(self) -> str:
        """Its place, for what it causes elsewhere."""

    @property
    def is_recorded(self) -> bool:
        """False when nobody will see it: it is not worth describing it."""

    def child(self, name: str, attributes: Attributes | None = None, at: int | None = None) -> "Span":
        """A part of it, since `at` (ns since 1970) or from now on."""

    def rename(self, name: str) -> None: ...

    def set(self, attributes: Attributes) -> None: ...

    def fail(self, message: str) -> None:
        """It came to a bad end."""

    def end(self, at: int | None = None) -> None:
        """At `at`, in nanoseconds since 1970, or now."""


class Tracing(Protocol):
    """Of one process."""

    def begin(
        self,
        name: str,
        *,
        parent: str = "",
        state: str = "",
        kind: Kind = Kind.INTERNAL,
        attributes: Attributes | None = None,
        at: int | None = None,
    ) -> Span:
        """A span, since `at` (ns since 1970) or from now on. `parent` and `state` are headers `traceparent` and
        `tracestate` of whoever caused it; with none, or one that cannot be read, a trace begins here."""

    def close(self) -> None:
        """Sends what waits, within a second or not at all. Blocking."""


def check_packages(settings: TracingSettings) -> None:
    """Raises: StartError, when traces are wanted and what they need is not installed."""
    if settings.endpoint and find_spec("opentelemetry") is None:
        raise StartError(MISSING)


def open_tracing(
    settings: TracingSettings, service: str, attributes: Attributes | None = None
) -> "Tracing | None":
    """None when no endpoint is set. Starts a thread, so not before a fork.

    Raises: StartError, when what it needs is not installed.
    """
    if not settings.endpoint:
        return None
    try:
        from server.tracing.otel import OtelTracing
    except ImportError as error:
        raise StartError(MISSING) from error
    return OtelTracing(settings, service, attributes or {})


def traceparent_in(text: str) -> str:
    """The one that `text`, a request id of the log, ends with; "" when it has none."""
    found = _TRACEPARENT.search(text)
    return found[1] if found is not None else ""


CURRENT: ContextVar[Span | None] = ContextVar("span", default=None)
"""The request that a task works for, when it is traced."""


@contextmanager
def step(name: str) -> Iterator[None]:
    """A part of what the current task works for; nothing when that is not traced."""
    span = CURRENT.get()
    if span is None or not span.is_recorded:
        yield
        return
    part = span.child(name)
    try:
        yield
    except Exception as error:
        part.fail(type(error).__name__)
        raise
    finally:
        part.end()
