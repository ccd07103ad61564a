"""Where HTTP units and the HTTP front meet: what a unit wants served, and the handle of one request."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from server.flow.http.tally import HttpTally
from server.flow.http.tls import Tls
from server.flow.listeners import Endpoint
from server.flow.run.source import SourceNode

REPLY_KEY = "reply"
"""The session private value that holds the request's `Exchange` (spec 7.3)."""


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes | bytearray | memoryview = b""
    content_type: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


class Exchange(Protocol):
    """One request that waits for its answer. The first answer counts, later ones are dropped."""

    request_headers: Mapping[str, str]

    def answer(self, answer: Answer) -> None:
        """From any thread."""


@dataclass
class HttpService:
    """One receive unit. `in_flight` and `tally` are the front's, on the event loop."""

    node: SourceNode
    endpoint: Endpoint
    endpoint_text: str
    max_requests: int
    time_out_ms: int
    keepalive_seconds: int
    tls: Tls | None = None
    answers_at_once: bool = False
    """True: 202 as soon as the request is queued, instead of what the flow replies."""
    in_flight: int = 0
    tally: HttpTally = field(default_factory=HttpTally, compare=False)


@dataclass(frozen=True)
class Services:
    """What built-in units find in their host's `services`."""

    serve: Callable[[HttpService], None]
    """Registers a receive unit; the front serves it once all units are open. From any thread."""
