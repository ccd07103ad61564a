"""An engine's listening sockets: they come from the engine host, and other engines may listen on them too.

All engines with a claim on an address accept from its one socket. Whoever accepted a connection looks up, for each
request, whose path it is, and hands the connection over if it is another engine's. Handing over is exactly once:
the receiver serves only after its Taken is sent, and the sender keeps the connection unless Taken arrived.
"""

import asyncio
import contextlib
import json
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from server.engines.channel import Channel, Waiting
from server.engines.claims import covers, normal_path
from server.engines.protocol import (
    Claim,
    Claimed,
    ClaimedEndpoint,
    HandedOver,
    ProtocolError,
    Refused,
    Taken,
    frame,
    handed_over,
    host_answer,
    taken,
)
from server.engines.rundir import RunDir, connect_unix, key_of, listen_unix
from server.failpoints import Failpoint, hit, io_error
from server.flow.listeners import Endpoint, Received, Route
from server.flow.status import FlowError, StatusCode

_HOST_ANSWERS_WITHIN = 5.0
_HOST_RETRY_AFTER = 0.05
_HAND_OVER_WITHIN = 2.0
_REPLACED_WITHIN = 5.0
"""Seconds that a request waits for its job's next engine. One that is not there by then waits out a long delay."""
_REPLACED_LOOK = 0.02

Taker = Callable[[socket.socket], None]


class _RoutingTable:
    """Who serves which path of one address, as the host wrote it last."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._routes: list[tuple[str, str]] = []

    def owner_of(self, path: str) -> tuple[str, str] | None:
        """(prefix, key) of the longest prefix that covers `path`."""
        self._refresh()
        return next((route for route in self._routes if covers(route[0], path)), None)

    def _refresh(self) -> None:
        try:
            status = os.stat(self._path)
            # the inode too: two changes may fall into one tick of the file system's clock
            stamp = (status.st_mtime_ns, status.st_ino)
            if stamp == self._stamp:
                return
            rows = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return
        routes = [(row["path"], row["key"]) for row in rows]
        self._routes = sorted(routes, key=lambda route: -len(route[0]))
        self._stamp = stamp


class SharedListeners:
    """server.flow.listeners.Listeners for engines."""

    def __init__(self, job_id: str, run_dir: RunDir) -> None:
        self._job_id = job_id
        self._key = key_of(job_id)
        self._run_dir = run_dir
        self._held: dict[ClaimedEndpoint, socket.socket] = {}
        self._tables: dict[tuple[str, int], _RoutingTable] = {}
        self._received: Received | None = None
        self._server: socket.socket | None = None
        self._door: os.stat_result | None = None

    async def claim(self, endpoint: Endpoint) -> socket.socket:
        address = await _resolve(endpoint)
        wanted = ClaimedEndpoint(
            host=endpoint.host,
            address=address,
            port=endpoint.port,
            path=normal_path(endpoint.path),
            tls=endpoint.tls,
        )
        # without a deadline of its own: the engine's start has one, and a dead host is replaced before it
        while (listener := await asyncio.to_thread(self._ask_host, wanted)) is None:  # noqa: ASYNC110
            await asyncio.sleep(_HOST_RETRY_AFTER)
        self._held[wanted] = listener
        port = listener.getsockname()[1]
        table = _RoutingTable(self._run_dir.routing_table(listener.getsockname()[0], port))
        self._tables[endpoint.host, endpoint.port] = table
        return listener.dup()

    def _ask_host(self, wanted: ClaimedEndpoint) -> socket.socket | None:
        """None, when there is no host just now."""
        try:
            hit(Failpoint.ENGINE_CLAIM, io_error)
            with Waiting(self._run_dir.path / "host.sock", time.monotonic() + _HOST_ANSWERS_WITHIN) as host:
                host.send(Claim(job_id=self._job_id, endpoint=wanted))
                answer = host.receive(host_answer)
                descriptors = host.take_descriptors()
        except OSError:
            return None
        if isinstance(answer, Refused):
            raise FlowError(StatusCode.FAULT, answer.reason)
        if not isinstance(answer, Claimed) or len(descriptors) != 1:
            raise FlowError(StatusCode.INTERNAL, f"the engine host answered a claim with {answer}")
        listener = socket.socket(fileno=descriptors[0])
        listener.setblocking(False)
        return listener

    def held(self) -> tuple[tuple[ClaimedEndpoint, ...], list[int]]:
        """The claims, and for each the descriptor of its socket."""
        return tuple(self._held), [listener.fileno() for listener in self._held.values()]

    def successor(self, endpoint: Endpoint) -> Route:
        return Route(endpoint, self._key)

    def foreign(self, host: str, port: int, path: str) -> Route | None:
        table = self._tables.get((host, port))
        owner = table.owner_of(path) if table is not None else None
        if owner is None or owner[1] == self._key:
            return None
        return Route(Endpoint(host, port, owner[0]), owner[1])

    async def hand_over(self, route: Route, connection: socket.socket, received: bytes) -> None:
        address, port = connection.getsockname()[:2]
        listener = next(
            (mine for mine in self._held if (mine.host, mine.port) == (route.endpoint.host, route.endpoint.port)),
            None,
        )
        if listener is not None:
            address, port = listener.address, listener.port
        endpoint = ClaimedEndpoint(host=route.endpoint.host, address=address, port=port, path=route.endpoint.path)
        message = HandedOver(endpoint=endpoint, received=received, to_successor=route.key == self._key)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _REPLACED_WITHIN
        while True:
            try:
                await self._offer(route, message, connection)
                break
            except (FileNotFoundError, ConnectionError) as error:
                # its engine is gone; while the job still has the path, another one will come
                if loop.time() > deadline or not self._is_expected(route, error):
                    raise
            await asyncio.sleep(_REPLACED_LOOK)
        connection.close()

    async def _offer(self, route: Route, message: HandedOver, connection: socket.socket) -> None:
        """Returns when the other engine has taken the connection. Raises: OSError, when it has not."""
        channel = Channel(connect_unix(self._run_dir.engines / f"{route.key}.http"))
        try:
            channel.send(message, [connection.fileno()])
            async with asyncio.timeout(_HAND_OVER_WITHIN):
                await _until_taken(channel)
        except TimeoutError:
            if not _taken_after_all(channel):
                raise TimeoutError(f"the engine of {route.endpoint} does not take the connection") from None
        except (ProtocolError, msgspec.DecodeError) as error:
            raise OSError(str(error)) from error
        finally:
            channel.close()

    def _is_expected(self, route: Route, error: OSError) -> bool:
        """Whether somebody may take the connection a little later."""
        if route.key == self._key:
            return not isinstance(error, ConnectionResetError)  # it is there, and does not serve that address
        endpoint = route.endpoint
        return self.foreign(endpoint.host, endpoint.port, endpoint.path) == route

    def on_handed_over(self, received: Received) -> None:
        self._received = received
        door = self._run_dir.handed_over(self._job_id)
        draft = door.with_name(f"{door.name}.{os.getpid()}")
        self._server = listen_unix(draft, backlog=1024)
        self._door = os.stat(draft)
        draft.replace(door)
        asyncio.get_running_loop().add_reader(self._server.fileno(), self._accept, self._server)

    def take_no_more(self) -> None:
        """The flow is about to stop: connections that others accepted wait for the next engine."""
        server, self._server = self._server, None
        if server is None:
            return
        asyncio.get_running_loop().remove_reader(server.fileno())
        server.close()
        door = self._run_dir.handed_over(self._job_id)
        with contextlib.suppress(OSError):
            if self._door is not None and os.path.samestat(os.stat(door), self._door):
                door.unlink()

    def _accept(self, server: socket.socket) -> None:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        connection.setblocking(False)
        _Reception(connection, self._taker)

    def _taker(self, message: HandedOver) -> Taker | None:
        """None while its endpoint is not ours, or not yet, or not any more."""
        theirs = message.endpoint
        mine = next(
            (
                endpoint
                for endpoint in self._held
                if (endpoint.address, endpoint.port) == (theirs.address, theirs.port)
                and (message.to_successor or endpoint.path == theirs.path)
            ),
            None,
        )
        received = self._received
        if mine is None or received is None or self._server is None:
            return None
        endpoint = Endpoint(mine.host, mine.port, mine.path)
        return lambda connection: received(endpoint, connection, message.received)


class _Reception:
    """One engine's connection to this one, from accept until it is answered."""

    def __init__(self, connection: socket.socket, taker_of: Callable[[HandedOver], Taker | None]) -> None:
        self._channel = Channel(connection)
        self._taker_of = taker_of
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(connection.fileno(), self._receive)
        self._patience = self._loop.call_later(2 * _HAND_OVER_WITHIN, self._close)

    def _receive(self) -> None:
        try:
            bodies = self._channel.receive()
            if bodies:
                self._accept_connection(handed_over.decode(bodies[0]))
        except (OSError, ProtocolError, msgspec.DecodeError):
            return self._close()
        if bodies or self._channel.ended:
            self._close()
        return None

    def _accept_connection(self, message: HandedOver) -> None:
        descriptors = self._channel.take_descriptors()
        sockets = [socket.socket(fileno=descriptor) for descriptor in descriptors]
        if len(sockets) != 1:
            for each in sockets:
                each.close()
            raise ProtocolError("a connection is handed over with exactly one descriptor")
        connection = sockets[0]
        take = self._taker_of(message)
        if take is None:
            return connection.close()
        connection.setblocking(False)
        try:
            self._channel.send(Taken())
        except OSError:
            connection.close()
            raise
        return take(connection)

    def _close(self) -> None:
        self._patience.cancel()
        self._loop.remove_reader(self._channel.socket.fileno())
        self._channel.close()


async def _resolve(endpoint: Endpoint) -> str:
    host = endpoint.host.strip("[]")
    for family in (socket.AF_INET, socket.AF_INET6):
        with contextlib.suppress(OSError):
            socket.inet_pton(family, host)
            return host
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, endpoint.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise FlowError(StatusCode.FAULT, f"the host {endpoint.host!r} is not known: {error}") from error
    addresses = sorted(found, key=lambda entry: entry[0] != socket.AF_INET)
    return str(addresses[0][4][0])


async def _until_taken(channel: Channel) -> None:
    descriptor = channel.socket.fileno()
    loop = asyncio.get_running_loop()
    while not channel.flush():
        await _ready(loop.add_writer, loop.remove_writer, descriptor)
    while not (bodies := channel.receive()):
        if channel.ended:
            raise ConnectionResetError("the other engine did not take the connection")
        await _ready(loop.add_reader, loop.remove_reader, descriptor)
    taken.decode(bodies[0])


async def _ready(
    add: Callable[[int, Callable[[], None]], object], remove: Callable[[int], object], descriptor: int
) -> None:
    ready = asyncio.Event()
    add(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        remove(descriptor)


def _taken_after_all(channel: Channel) -> bool:
    """Closes the door to a late Taken, then looks whether one has come in before."""
    with contextlib.suppress(OSError):
        channel.socket.shutdown(socket.SHUT_RD)
        return frame(Taken()) == channel.socket.recv(64, socket.MSG_DONTWAIT)
    return False
