"""A flow that gives way to another one hands its connections over, when nothing is under way on them.

Closing them instead would lose the request that is on its way just then. A connection with TLS cannot be handed
over.
"""

import asyncio
import os
from collections.abc import Set
from contextlib import suppress
from socket import socket

from sanic.http import Stage

from server.flow.http.protocol import FlowProtocol
from server.flow.listeners import Endpoint, Listeners, Route

AT_ONCE = 64
LOOK_SECONDS = 0.005


class GiveWay:
    """`connections` changes while this is at work."""

    def __init__(self, connections: Set[FlowProtocol], claims: Listeners) -> None:
        self._connections = connections
        self._claims = claims
        self._kept: set[FlowProtocol] = set()
        """Nobody has taken them: the other flow does not serve their address."""
        self._places = asyncio.Semaphore(AT_ONCE)
        self._task = asyncio.create_task(self._run(), name="give way")

    def route_of(self, connection: FlowProtocol) -> Route:
        listener = connection.listener
        return self._claims.successor(Endpoint(listener.host, listener.port, ""))

    async def finish(self, seconds: float) -> None:
        """Nothing is under way any more: waits, at most so long, until all connections are handed over. Those with
        TLS have that time for a last request, whose answer says that it is the last."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while any(connection not in self._kept for connection in self._connections):  # noqa: ASYNC110
                    await asyncio.sleep(LOOK_SECONDS)
        self._task.cancel()

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as giving:
            begun: set[FlowProtocol] = set()
            while True:
                begun &= set(self._connections)
                for connection in set(self._connections) - begun:
                    if is_at_rest(connection) and connection.listener.tls is None:
                        # at once: from here on nothing is read from it
                        connection.pipe.pause_reading()
                        begun.add(connection)
                        giving.create_task(self._give(connection))
                # looks rather than listens: it is a matter of milliseconds, once in the life of a flow
                await asyncio.sleep(LOOK_SECONDS)

    async def _give(self, connection: FlowProtocol) -> None:
        async with self._places:
            transport = connection.pipe
            while transport.get_write_buffer_size():  # noqa: ASYNC110
                await asyncio.sleep(LOOK_SECONDS)
            if transport.is_closing():
                return
            twin = socket(fileno=os.dup(transport.get_extra_info("socket").fileno()))
            try:
                await self._claims.hand_over(self.route_of(connection), twin, b"")
            except OSError:
                twin.close()
                self._kept.add(connection)
                if not transport.is_closing():
                    transport.resume_reading()
                return
            transport.abort()  # closes our descriptor only: the connection lives on in the other's


def is_at_rest(connection: FlowProtocol) -> bool:
    """Whether the next byte that comes is the first of a request."""
    http = connection.http
    if http is None or connection.transport is None or connection.transport.is_closing():
        return False
    return http.stage is Stage.IDLE and http.keep_alive and not http.request_body and not connection.recv_buffer
