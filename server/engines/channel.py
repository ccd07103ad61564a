"""Frames and descriptors over a non-blocking Unix socket, without an event loop of its own.

The host drives channels with selectors, engines with asyncio: both call `receive` when the socket is readable and
`flush` when it is writable.
"""

import contextlib
import os
import select
import socket
import time
from array import array
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from server.engines.protocol import MAX_FRAME, Frames, Message, ProtocolError, frame
from server.engines.rundir import connect_unix

_CHUNK = 256 * 1024
_DESCRIPTORS = 64
"""How many descriptors one message may carry (the kernel's limit is 253)."""

_UNREAD_LIMIT = 2 * MAX_FRAME

Answer = TypeVar("Answer")


class Channel:
    """One connection. Not thread-safe. `close` also closes descriptors that nobody took."""

    def __init__(self, connection: socket.socket, limit: int = MAX_FRAME) -> None:
        self.socket = connection
        self._frames = Frames(limit)
        self._unsent: deque[tuple[memoryview, tuple[int, ...]]] = deque()
        self._unsent_bytes = 0
        self._descriptors: list[int] = []
        self.ended = False

    def receive(self) -> list[bytes]:
        """The frames that have arrived; sets `ended` at the end of the stream. Never waits.

        Raises: ProtocolError; OSError, when the connection broke.
        """
        try:
            data, descriptors, _, _ = socket.recv_fds(
                self.socket, _CHUNK, _DESCRIPTORS, socket.MSG_CMSG_CLOEXEC | socket.MSG_DONTWAIT
            )
        except BlockingIOError:
            return []
        self._descriptors += descriptors
        if len(self._descriptors) > _DESCRIPTORS:
            raise ProtocolError("too many descriptors")
        if not data:
            self.ended = True
            return []
        return self._frames.feed(data)

    def take_descriptors(self) -> list[int]:
        """The descriptors that have arrived; the caller owns them now."""
        taken, self._descriptors = self._descriptors, []
        return taken

    def send(self, message: Message, descriptors: Sequence[int] = ()) -> None:
        """Queues a message and sends what the socket takes now. The descriptors stay the caller's.

        Raises: OSError, when the connection broke or the other side reads nothing.
        """
        # copies, because the caller may close its own before the socket takes the message
        copies = tuple(os.dup(descriptor) for descriptor in descriptors)
        data = frame(message)
        self._unsent.append((memoryview(data), copies))
        self._unsent_bytes += len(data)
        if self._unsent_bytes > _UNREAD_LIMIT:
            raise ConnectionAbortedError("the other side does not read")
        self.flush()

    def flush(self) -> bool:
        """Sends what the socket takes. True when nothing is left. Raises: OSError."""
        while self._unsent:
            data, descriptors = self._unsent[0]
            try:
                # not socket.send_fds, which drops the flags
                rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", descriptors))] if descriptors else []
                sent = self.socket.sendmsg([data], rights, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
            except BlockingIOError:
                return False
            for descriptor in descriptors:
                os.close(descriptor)
            self._unsent_bytes -= sent
            if sent == len(data):
                self._unsent.popleft()
            else:
                self._unsent[0] = (data[sent:], ())
        return True

    @property
    def has_unsent(self) -> bool:
        return bool(self._unsent)

    def close(self) -> None:
        for descriptor in self.take_descriptors():
            os.close(descriptor)
        for _, descriptors in self._unsent:
            for descriptor in descriptors:
                os.close(descriptor)
        self._unsent.clear()
        self.socket.close()


class Waiting:
    """A connection on which a blocking caller waits, each time until a deadline. For threads and for start-up."""

    def __init__(self, path: Path, deadline: float) -> None:
        """`deadline` is a time.monotonic(). Raises: OSError."""
        self._deadline = deadline
        self._channel = Channel(self._connect(path))
        self._pending: list[bytes] = []

    def _connect(self, path: Path) -> socket.socket:
        while True:
            try:
                return connect_unix(path)
            except BlockingIOError:
                if time.monotonic() > self._deadline:
                    raise TimeoutError(f"{path.name} accepts no connection") from None
                time.sleep(0.005)

    def send(self, message: Message, descriptors: Sequence[int] = ()) -> None:
        self._channel.send(message, descriptors)
        while not self._channel.flush():
            self._wait(select.POLLOUT)

    def receive(self, decoder: msgspec.msgpack.Decoder[Answer]) -> Answer:
        """The next message. Raises: OSError (TimeoutError among them), ProtocolError."""
        while not self._pending:
            self._wait(select.POLLIN)
            self._pending += self._channel.receive()
            if self._channel.ended and not self._pending:
                raise ConnectionResetError("the other side went away without an answer")
        try:
            return decoder.decode(self._pending.pop(0))
        except msgspec.DecodeError as error:
            raise ProtocolError(str(error)) from error

    def take_descriptors(self) -> list[int]:
        return self._channel.take_descriptors()

    def _wait(self, event: int) -> None:
        poll = select.poll()
        poll.register(self._channel.socket, event)
        if not poll.poll(max(0.0, self._deadline - time.monotonic()) * 1000):
            raise TimeoutError("no answer in time")

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._channel.close()

    def __enter__(self) -> "Waiting":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
