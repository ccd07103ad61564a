"""Asking an engine, from asyncio: over a connection of its own each time, so that nothing has to be matched up."""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from server.engines.protocol import (
    MAX_FRAME,
    Ended,
    EngineMessage,
    EngineRequest,
    Failed,
    Hello,
    Message,
    ProtocolError,
    Ready,
    Stalled,
    engine_message,
    frame,
)
from server.engines.rundir import connect_unix


class Line:
    """A framed connection. Every method raises OSError when the other side is gone."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, message: Message) -> None:
        self._writer.write(frame(message))
        await self._writer.drain()

    async def receive(self) -> bytes:
        """The body of the next frame. Raises: ProtocolError; ConnectionResetError at the end of the stream."""
        try:
            (length,) = struct.unpack(">I", await self._reader.readexactly(4))
            if length > MAX_FRAME:
                raise ProtocolError(f"a frame of {length} bytes is too long")
            return await self._reader.readexactly(length)
        except asyncio.IncompleteReadError as error:
            raise ConnectionResetError("the other side is gone") from error

    def close(self) -> None:
        self._writer.close()

    async def closed(self) -> None:
        """Closes, and returns when the event loop holds nothing of it any more."""
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


async def dial(path: Path) -> Line:
    """Raises: OSError."""
    connection = connect_unix(path)
    return Line(*await asyncio.open_unix_connection(sock=connection))


@asynccontextmanager
async def dialled(path: Path) -> AsyncIterator[Line]:
    line = await dial(path)
    try:
        yield line
    finally:
        await line.closed()


async def next_message(line: Line) -> EngineMessage:
    """Raises: OSError, ProtocolError."""
    try:
        return engine_message.decode(await line.receive())
    except msgspec.DecodeError as error:
        raise ProtocolError(str(error)) from error


async def ask(path: Path, request: EngineRequest, timeout: float) -> tuple[Hello, EngineMessage]:
    """The engine's hello and its answer. Raises: OSError (TimeoutError among them), ProtocolError."""
    async with asyncio.timeout(timeout), dialled(path) as line:
        await line.send(request)
        hello = await next_message(line)
        if not isinstance(hello, Hello):
            raise ProtocolError(f"an engine begins with hello, not {type(hello).__name__}")
        answer: EngineMessage = hello
        while isinstance(answer, Hello | Ready | Stalled | Failed | Ended):
            answer = await next_message(line)
        return hello, answer
