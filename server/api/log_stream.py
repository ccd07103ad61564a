"""A log on its way to a client: a piece is read when the one before has been sent."""

import asyncio
import socket
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import msgspec
from sanic import HTTPResponse, Request

from server.api.answers import SECURITY_HEADERS, answer, error_answer
from server.api.endpoint import OtherBody
from server.api.log_places import LogPlace
from server.api.stream import MOST_STREAMS, RECONNECT_SECONDS
from server.engines.logs.files import Attempt, parse_place
from server.engines.logs.reader import LogReader, Place, Wanted
from server.jobs.errors import InternalError
from server.wire.logs import LogEntry

READERS = 2
"""Threads: however many read logs, others get their turn."""
LOOK_SECONDS = (0.1, 1.0)
"""Between two looks at a log that is followed: at first, and when nothing has come for long."""
SEND_SECONDS = 60.0
"""How long a client may leave what was sent to it unread; people halt their terminals."""
KEEPALIVE_SECONDS = 60
TAIL_FACTORS = (4, 64, 0)
"""The last lines of a level are looked for among so many times as many first, then among all."""

T = TypeVar("T")


@dataclass(frozen=True)
class Reading:
    place: LogPlace
    wanted: Wanted
    tail: int | None
    after: str | None
    follow: bool
    over_attempts: bool
    is_shown: Callable[[Attempt], Awaitable[bool]]
    """Asked again and again, as a job may be deleted and another take its id, or its labels change."""

    def reader(self) -> LogReader:
        attempt = self.place.attempt
        return LogReader(
            self.place.folder, attempt, self.wanted, follow=self.follow, over_attempts=self.over_attempts
        )

    def scout(self) -> LogReader:
        """Looks for the place at which a reader that follows has to begin."""
        return LogReader(self.place.folder, self.place.attempt, self.wanted)


class LogAnswer(OtherBody):
    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    async def send(self, request: Request) -> HTTPResponse | None:
        headers = SECURITY_HEADERS | {
            "Content-Type": self.content_type,
            "Cache-Control": "no-cache",
            "X-Content-Type-Options": "nosniff",
            "X-Accel-Buffering": "no",
        }
        if request.method == "HEAD":
            return answer(200, headers=headers)
        open_streams: set[object] = request.app.ctx.streams
        if len(open_streams) >= MOST_STREAMS:
            message = f"{InternalError.text}, {MOST_STREAMS} streams are open already"
            return error_answer(503, InternalError.code, message, {"Retry-After": str(RECONNECT_SECONDS)})
        open_streams.add(self)
        try:
            _keep_alive(request)
            response = await request.respond(answer(200, headers=headers))
            async for data in self._pieces(request):
                if not await _is_sent(response, data):
                    await _cut_off(request)
            await response.eof()
        finally:
            open_streams.discard(self)
        return None

    content_type: ClassVar[str]

    async def _pieces(self, request: Request) -> AsyncIterator[bytes]:
        """Never more than one in memory."""
        threads: ThreadPoolExecutor = request.app.ctx.log_threads
        pacer: Pacer = request.app.ctx.log_pacer
        with pacer.reading():
            reader = await self._started(threads, pacer)
        pause, longest = LOOK_SECONDS
        while not request.app.ctx.feed.closed:
            with pacer.reading():
                piece = await pacer.run(threads, reader.read)
            if piece.data:
                if not await self._reading.is_shown(reader.attempt):
                    return
                yield piece.data
                pause = LOOK_SECONDS[0]
            if not piece.at_end:
                continue
            if not self._reading.follow or reader.is_over:
                return
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, longest)

    async def _started(self, threads: ThreadPoolExecutor, pacer: "Pacer") -> LogReader:
        reading = self._reading
        reader = reading.reader()
        if reading.after is not None:
            reader.resume(parse_place(reading.place.folder, reading.after))
            return reader
        await _in(threads, reader.start)
        if reading.tail is None:
            return reader
        if not reading.wanted.is_filter or not reading.tail:
            await _in(threads, lambda: reader.go_to_tail(reading.tail or 0))
            return reader
        for factor in TAIL_FACTORS:
            places = await self._last_places(threads, pacer, reading.tail, factor)
            if len(places) == reading.tail:
                break
        if places:
            await _in(threads, lambda: reader.resume(places[0]))
        return reader

    async def _last_places(
        self, threads: ThreadPoolExecutor, pacer: "Pacer", tail: int, factor: int
    ) -> deque[Place]:
        """Of the last `tail` lines that are wanted among the last `factor` times as many, or among all for 0."""
        places: deque[Place] = deque(maxlen=tail)
        scout = self._reading.scout()
        await _in(threads, scout.start)
        if factor:
            await _in(threads, lambda: scout.go_to_tail(tail * factor))
        while await pacer.run(threads, lambda: scout.note_places(places)):
            pass
        return places


class LogText(LogAnswer):
    """Lines of text."""

    media_type = "text/plain"
    content_type = "text/plain; charset=utf-8"
    schema: ClassVar[dict[str, Any]] = {"type": "string"}


def _schema_of_entry() -> dict[str, Any]:
    _, components = msgspec.json.schema_components([LogEntry])
    level = components["Level"]["enum"]
    schema: dict[str, Any] = components["LogEntry"]
    schema["properties"]["level"] = {"anyOf": [{"enum": level}, {"type": "null"}]}
    return schema


class LogLines(LogAnswer):
    """A JSON object a line: place, incarnation, attempt, time, level, node, text."""

    media_type = "application/x-ndjson"
    content_type = "application/x-ndjson"
    schema: ClassVar[dict[str, Any]] = _schema_of_entry()


class Pacer:
    """Has those who read logs leave half of the interpreter, together, to whoever asks for something else."""

    def __init__(self) -> None:
        self._readers = 0

    @contextmanager
    def reading(self) -> Iterator[None]:
        self._readers += 1
        try:
            yield
        finally:
            self._readers -= 1

    async def run(self, threads: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        result, seconds = await _in(threads, lambda: _timed(work))
        await asyncio.sleep(seconds * 2 * self._readers)
        return result


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    """With the seconds of processor time that it took."""
    begun = time.thread_time()
    result = work()
    return result, time.thread_time() - begun


async def _in(threads: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(threads, work)


async def _is_sent(response: Any, data: bytes) -> bool:
    try:
        async with asyncio.timeout(SEND_SECONDS):
            await response.send(data)
    except TimeoutError:
        return False
    return True


def _keep_alive(request: Request) -> None:
    """Nothing may be sent for hours: the system is to find out when the client is gone without a word."""
    assert request.transport is not None
    connection = request.transport.get_extra_info("socket")
    if connection is not None:
        with suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_SECONDS)


async def _cut_off(request: Request) -> None:
    """Ends the connection and what it has in buffers; Sanic then cancels this task, which waits for that."""
    assert request.stream is not None
    protocol: Any = request.stream.protocol
    protocol.abort()
    await asyncio.get_running_loop().create_future()
