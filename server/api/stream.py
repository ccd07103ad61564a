"""Server-sent events: the log as a stream, from a position on."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, ClassVar

from sanic import HTTPResponse, Request

from server.api.answers import SECURITY_HEADERS, answer, error_answer
from server.api.endpoint import OtherBody
from server.api.feed import Feed
from server.api.scoped_feed import ScopedFeed
from server.jobs.errors import InternalError
from server.jobs.ids import Position
from server.store import StoreUnavailable
from server.store.history import Wanted

EVENTS_READ = 100
CHUNK_BYTES = 64 * 1024
SILENCE_SECONDS = 15.0
"""After so much of it something is sent, so that either side notices when the other is gone."""
SEND_SECONDS = 10.0
"""How long a client may leave what was sent to it unread."""
RECONNECT_SECONDS = 1
MOST_STREAMS = 4000
HEADERS = SECURITY_HEADERS | {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache",
    "X-Accel-Buffering": "no",  # keeps nginx from holding events back
}


class EventStream(OtherBody):
    """Server-sent events: `id` is the position, `event` the type, `data` an Entry."""

    media_type = "text/event-stream"
    schema: ClassVar[dict[str, Any]] = {"type": "string", "description": "id: position, event: type, data: Entry"}

    def __init__(self, feed: Feed | ScopedFeed, position: Position, wanted: Wanted) -> None:
        self._feed = feed
        self._position = position
        self._wanted = wanted

    async def send(self, request: Request) -> HTTPResponse | None:
        if request.method == "HEAD":
            return answer(200, headers=HEADERS)
        open_streams: set[object] = request.app.ctx.streams
        if len(open_streams) >= MOST_STREAMS:
            message = f"{InternalError.text}, {MOST_STREAMS} streams are open already"
            return error_answer(503, InternalError.code, message, {"Retry-After": str(RECONNECT_SECONDS)})
        open_streams.add(self)
        try:
            response = await request.respond(answer(200, headers=HEADERS))
            async for chunk in self._chunks():
                if not await _is_sent(response, chunk):
                    await _cut_off(request)
            await response.eof()
        finally:
            open_streams.discard(self)
        return None

    async def _chunks(self) -> AsyncIterator[bytes]:
        # a client that loses the connection before the first event must come back to the same place
        yield b"retry: %d\nid: %d\n\n" % (RECONNECT_SECONDS * 1000, self._position)
        while not self._feed.closed:
            try:
                part = await self._feed.after(self._position, EVENTS_READ, self._wanted)
            except StoreUnavailable:
                yield self._sign_of_life()
                await asyncio.sleep(RECONNECT_SECONDS)
                continue
            if part.head < self._position:
                return  # the log is another one; the client comes back, and is told
            for chunk in _joined([fed.frame for fed in part.events]):
                yield chunk
            self._position = part.looked_at
            if part.looked_at < part.head:
                continue
            await self._feed.grown(self._position, SILENCE_SECONDS)
            if self._feed.position <= self._position:
                yield self._sign_of_life()

    def _sign_of_life(self) -> bytes:
        """Moves the client's Last-Event-ID, though nothing that it wanted has happened."""
        return b"id: %d\n\n" % self._position


def _joined(frames: list[bytes]) -> list[bytes]:
    """As few pieces as possible, of CHUNK_BYTES at most where the frames are smaller."""
    chunks: list[bytes] = []
    gathered: list[bytes] = []
    size = 0
    for frame in frames:
        if gathered and size + len(frame) > CHUNK_BYTES:
            chunks.append(b"".join(gathered))
            gathered, size = [], 0
        gathered.append(frame)
        size += len(frame)
    return [*chunks, b"".join(gathered)] if gathered else chunks


async def _is_sent(response: Any, chunk: bytes) -> bool:
    try:
        async with asyncio.timeout(SEND_SECONDS):
            await response.send(chunk)
    except TimeoutError:
        return False
    return True


async def _cut_off(request: Request) -> None:
    """Ends the connection and what it has in buffers; Sanic then cancels this task, which waits for that."""
    assert request.stream is not None
    protocol: Any = request.stream.protocol
    protocol.abort()
    await asyncio.get_running_loop().create_future()
