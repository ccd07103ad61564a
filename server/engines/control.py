"""An engine's control socket: greets every client, answers requests, sends news to all."""

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence

import msgspec

from server.engines.channel import Channel
from server.engines.protocol import EngineRequest, Message, ProtocolError, engine_request

_REQUEST_LIMIT = 64 * 1024
_CLIENTS = 64

log = logging.getLogger("engine")

Reply = tuple[Message, Sequence[int]]


class ControlServer:
    """`greet` gives what a new client is told; `answer` the reply to a request and descriptors to go with it."""

    def __init__(
        self,
        listener: socket.socket,
        greet: Callable[[], Sequence[Message]],
        answer: Callable[[EngineRequest], Reply],
    ) -> None:
        self._listener = listener
        self._greet = greet
        self._answer = answer
        self._clients: set[Channel] = set()
        self._loop = asyncio.get_running_loop()

    def serve(self) -> None:
        self._loop.add_reader(self._listener.fileno(), self._accept)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return None
        connection.setblocking(False)
        client = Channel(connection, _REQUEST_LIMIT)
        if len(self._clients) >= _CLIENTS:
            return client.close()
        self._clients.add(client)
        self._loop.add_reader(connection.fileno(), self._receive, client)
        for message in self._greet():
            self._send(client, message)
        return None

    def _receive(self, client: Channel) -> None:
        try:
            for body in client.receive():
                message, descriptors = self._answer(engine_request.decode(body))
                self._send(client, message, descriptors)
        except (OSError, ProtocolError, msgspec.DecodeError) as error:
            log.warning("a client of the control socket is cut off: %s", error)
            return self._drop(client)
        if client.ended:
            self._drop(client)
        return None

    def _send(self, client: Channel, message: Message, descriptors: Sequence[int] = ()) -> None:
        if client not in self._clients:
            return None
        try:
            client.send(message, descriptors)
        except OSError:
            return self._drop(client)
        if client.has_unsent:
            self._loop.add_writer(client.socket.fileno(), self._flush, client)
        return None

    def _flush(self, client: Channel) -> None:
        try:
            if client.flush():
                self._loop.remove_writer(client.socket.fileno())
        except OSError:
            self._drop(client)

    def _drop(self, client: Channel) -> None:
        if client not in self._clients:
            return
        self._clients.discard(client)
        self._loop.remove_reader(client.socket.fileno())
        self._loop.remove_writer(client.socket.fileno())
        client.close()

    def broadcast(self, message: Message) -> None:
        for client in tuple(self._clients):
            self._send(client, message)

    async def drain(self, timeout: float) -> None:
        """Waits until every client's kernel buffer has taken everything, or for `timeout` seconds."""
        deadline = self._loop.time() + timeout
        while any(client.has_unsent for client in self._clients) and self._loop.time() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
