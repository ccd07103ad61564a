"""What a reader of a stream knows over all its connections: where it is, and how long it has had none."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

import httpx

from server.client.calls import events_path
from server.client.connection import with_read
from server.client.errors import ApiError, BadAnswer, ClientError, Unavailable, error_of
from server.client.frames import Frames
from server.wire.entries import Entry

SILENCE_SECONDS = 40.0
"""Without a byte for so long the connection counts as lost: a server breaks its silence every 15 seconds."""
FIRST_DELAY = 0.2
LONGEST_DELAY = 2.0

Told = Callable[[str | None], None]
"""Is called with None when a connection is there, and with the reason when it is lost."""


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What to follow: the log behind `after`, from now on when that is None; of one job or all; only these types.
    `patience`: seconds without a connection after which it is given up, None for never."""

    job_id: str | None = None
    after: int | None = None
    types: Sequence[str] = ()
    patience: float | None = None
    told: Told = lambda _: None


class Following:
    def __init__(self, wish: Wish) -> None:
        self._wish = wish
        self._last_id = wish.after
        self._frames = Frames()
        self._delay = FIRST_DELAY
        self._lost_at: float | None = monotonic()

    def request(self, http: "httpx.Client | httpx.AsyncClient") -> httpx.Request:
        headers = {"Accept": "text/event-stream"}
        if self._last_id is not None:
            headers["Last-Event-ID"] = str(self._last_id)
        params: dict[str, Any] = {"type": ",".join(self._wish.types)} if self._wish.types else {}
        timeout = with_read(http.timeout, SILENCE_SECONDS)
        return http.build_request(
            "GET", events_path(self._wish.job_id), headers=headers, params=params, timeout=timeout
        )

    def opened(self, response: httpx.Response) -> None:
        """The answer's head is here; its body too if it is an error. Raises: ApiError, BadAnswer."""
        if response.status_code >= 400:
            raise error_of(response)
        if not response.headers.get("content-type", "").startswith("text/event-stream"):
            raise BadAnswer(f"{response.request.url} answered with no event stream")
        self._frames = Frames()
        self._lost_at, self._delay = None, FIRST_DELAY
        self._wish.told(None)

    def entries_in(self, received: bytes) -> Iterator[Entry]:
        for entry in self._frames.entries_in(received):
            # before it is handed out: whoever got it does not want it again
            self._last_id = entry.position
            yield entry
        if self._frames.last_id is not None:
            self._last_id = self._frames.last_id

    def delay_after(self, failure: ClientError | None) -> float:
        """Seconds until the next try; no failure: the server ended the stream in good order.

        Raises: the failure, when another try would be refused as well or patience is over.
        """
        if isinstance(failure, (ApiError, BadAnswer)) and not isinstance(failure, Unavailable):
            raise failure
        now = monotonic()
        if self._lost_at is None:
            self._lost_at = now
        if failure is not None and self._wish.patience is not None and now - self._lost_at >= self._wish.patience:
            raise failure
        self._wish.told("the server ended the stream" if failure is None else str(failure))
        delay, self._delay = self._delay, min(self._delay * 2, LONGEST_DELAY)
        return delay
