"""What a reader of a stream knows over all its connections: where it is, and how long it has had none."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from time import monotonic
from typing import Generic, TypeVar

import httpx
import msgspec

from server.client.calls import events_path, log_path
from server.client.connection import with_read
from server.client.errors import ApiError, BadAnswer, ClientError, Unavailable, error_of
from server.client.frames import MOST_BYTES, Frames
from server.wire.entries import Entry
from server.wire.logs import Level, LogEntry

T = TypeVar("T")

SILENCE_SECONDS = 40.0
"""Without a byte for so long the connection counts as lost: a stream of events breaks its silence every 15."""
FIRST_DELAY = 0.2
LONGEST_DELAY = 2.0

GIVE_UP_SECONDS = 1.5
"""Without a connection, for what is read once and not followed."""

Told = Callable[[str | None], None]
"""Is called with None when a connection is there, and with the reason when it is lost."""


class Stream(ABC, Generic[T]):
    """Which requests to send, one after the other, and what is in their answers.

    `patience`: seconds without a connection after which it is given up, None for never.
    """

    media_type: str

    def __init__(self, patience: float | None, told: Told) -> None:
        self._patience = patience
        self._told = told
        self._delay = FIRST_DELAY
        self._lost_at: float | None = monotonic()

    @abstractmethod
    def request(self, http: httpx.Client | httpx.AsyncClient) -> httpx.Request:
        """That of the next connection."""

    @abstractmethod
    def items_in(self, received: bytes) -> Iterator[T]:
        """What is complete with these bytes. Raises: BadAnswer."""

    @property
    def is_over(self) -> bool:
        """Whether the server's end of the stream is the end of it all."""
        return False

    def opened(self, response: httpx.Response) -> None:
        """The answer's head is here; its body too if it is an error. Raises: ApiError, BadAnswer."""
        if response.status_code >= 400:
            raise error_of(response)
        if not response.headers.get("content-type", "").startswith(self.media_type):
            raise BadAnswer(f"{response.request.url} answered with no {self.media_type}")
        self._lost_at, self._delay = None, FIRST_DELAY
        self._told(None)

    def delay_after(self, failure: ClientError | None) -> float:
        """Seconds until the next try; no failure: the server ended the stream in good order.

        Raises: the failure, when another try would be refused as well or patience is over.
        """
        if isinstance(failure, (ApiError, BadAnswer)) and not isinstance(failure, Unavailable):
            raise failure
        now = monotonic()
        if self._lost_at is None:
            self._lost_at = now
        if failure is not None and self._patience is not None and now - self._lost_at >= self._patience:
            raise failure
        self._told("the server ended the stream" if failure is None else str(failure))
        delay, self._delay = self._delay, min(self._delay * 2, LONGEST_DELAY)
        return delay


class EventStream(Stream[Entry]):
    """The log behind `after`, from now on when that is None; of one job or all; only these types."""

    media_type = "text/event-stream"

    def __init__(
        self,
        job_id: str | None,
        after: int | None,
        types: Sequence[str],
        patience: float | None,
        told: Told,
    ) -> None:
        super().__init__(patience, told)
        self._job_id = job_id
        self._last_id = after
        self._types = types
        self._frames = Frames()

    def request(self, http: httpx.Client | httpx.AsyncClient) -> httpx.Request:
        self._frames = Frames()
        headers = {"Accept": self.media_type}
        if self._last_id is not None:
            headers["Last-Event-ID"] = str(self._last_id)
        params = {"type": ",".join(self._types)} if self._types else {}
        timeout = with_read(http.timeout, SILENCE_SECONDS)
        return http.build_request(
            "GET", events_path(self._job_id), headers=headers, params=params, timeout=timeout
        )

    def items_in(self, received: bytes) -> Iterator[Entry]:
        for entry in self._frames.entries_in(received):
            # before it is handed out: whoever got it does not want it again
            self._last_id = entry.position
            yield entry
        if self._frames.last_id is not None:
            self._last_id = self._frames.last_id


class LogStream(Stream[LogEntry]):
    """The lines of a job's log. Once one has come, a new connection begins behind the last."""

    media_type = "application/x-ndjson"

    def __init__(
        self,
        job_id: str,
        *,
        attempt: int | None = None,
        tail: int | None = None,
        since: str | None = None,
        level: Level | str | None = None,
        follow: bool = False,
        patience: float | None = None,
        told: Told,
    ) -> None:
        super().__init__(GIVE_UP_SECONDS if patience is None and not follow else patience, told)
        self._job_id = job_id
        self._attempt = attempt
        self._follow = follow
        filters = {"since": since, "level": level, "follow": "true" if follow else None}
        self._filters = {name: str(value) for name, value in filters.items() if value is not None}
        self._begin = {
            name: str(value) for name, value in (("attempt", attempt), ("tail", tail)) if value is not None
        }
        self._place: str | None = None
        self._begun = b""

    @property
    def is_over(self) -> bool:
        # an engine's log that is followed to its end is over when one attempt alone was asked for
        return not self._follow or self._attempt is not None

    def request(self, http: httpx.Client | httpx.AsyncClient) -> httpx.Request:
        self._begun = b""
        where = self._begin if self._place is None else {"after": self._place}
        # what follows a quiet log hears nothing; only who knows a place may come back without a loss
        silence = http.timeout if not self._follow else with_read(http.timeout, self._silence())
        headers = {"Accept": self.media_type}
        params = self._filters | where
        return http.build_request("GET", log_path(self._job_id), headers=headers, params=params, timeout=silence)

    def items_in(self, received: bytes) -> Iterator[LogEntry]:
        *lines, self._begun = (self._begun + received).split(b"\n")
        if len(self._begun) > MOST_BYTES:
            raise BadAnswer(f"a line of the log is longer than {MOST_BYTES} bytes")
        for line in lines:
            entry = self._entry(line)
            if self._attempt is not None and entry.attempt != self._attempt:
                return
            self._place = entry.place
            yield entry

    def _silence(self) -> float | None:
        return None if self._place is None else SILENCE_SECONDS

    def _entry(self, line: bytes) -> LogEntry:
        try:
            return msgspec.json.decode(line, type=LogEntry)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise BadAnswer(f"a line of the log is no entry: {error}") from error
