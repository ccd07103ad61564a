"""Everything HTTP of one flow: its listeners, who serves which request, its end."""

import asyncio
import threading
from contextlib import suppress
from functools import partial
from socket import socket
from time import monotonic
from typing import Any

from sanic.http import Stage

from server.flow.counters import HttpCounters
from server.flow.http import wire
from server.flow.http.app import FlowApp, protocol_of, send
from server.flow.http.exchange import STOPPED
from server.flow.http.give_way import GiveWay
from server.flow.http.handover import detach
from server.flow.http.listening import Listener
from server.flow.http.protocol import FlowProtocol, FlowRequest
from server.flow.http.requests import Requests
from server.flow.http.services import Answer, HttpService
from server.flow.limits import FlowLimits
from server.flow.listeners import Endpoint, Listeners
from server.flow.mailbox import Mailbox
from server.flow.run.source import SourceNode
from server.flow.status import FlowError, open_words
from server.tracing import Tracing

METHODS = frozenset({"GET", "POST", "PUT", "DELETE"})
NOT_FOUND = Answer(404)
NOT_ALLOWED = Answer(405, headers={"Allow": wire.ALLOW})
HEALTHY = Answer(200, b'{"message":"success","status":200}', "application/json")
FLUSH_SECONDS = 1.0


class HttpFront:
    """Lives on the event loop; only `add` is called from elsewhere, while units open."""

    def __init__(
        self,
        name: str,
        listeners: Listeners,
        limits: FlowLimits,
        mailbox: Mailbox,
        tracing: Tracing | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._claims = listeners
        self._limits = limits
        self._requests = Requests(limits, mailbox, tracing)
        self._app = FlowApp(name, limits, self._handle)
        self._services: list[HttpService] = []
        self._services_lock = threading.Lock()
        self._listeners: dict[tuple[str, int], Listener] = {}
        """By host and port as endpoints name them."""
        self._bound: dict[tuple[str, int], Listener] = {}
        self._connections: set[FlowProtocol] = set()
        self._arrivals: set[asyncio.Task[None]] = set()
        self._claimed: list[tuple[Listener, socket]] | None = None
        self._gives_way: GiveWay | None = None
        self._is_closing = False

    def add(self, service: HttpService) -> None:
        with self._services_lock:
            self._services.append(service)

    def counters(self) -> dict[str, HttpCounters]:
        """By the name of the receive unit's node."""
        return {service.node.name: service.tally.read(service.in_flight) for service in self._services}

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        return tuple(service.endpoint for service in self._services)

    @property
    def nodes(self) -> frozenset[SourceNode]:
        """Those that requests begin at."""
        return frozenset(service.node for service in self._services)

    @property
    def in_flight(self) -> int:
        """How many requests are in the flow, or answered and not through yet."""
        return self._requests.in_flight

    async def serve(self) -> None:
        """Claims the endpoints of all registered units, if that was not done, and starts to accept.

        Raises: as `claim`.
        """
        self._claims.on_handed_over(self._take_over)
        if self._claimed is None:
            await self.claim()
        claimed, self._claimed = self._claimed or [], None
        for listener, sock in claimed:
            if listener.servers:
                sock.close()  # the same socket again, for a further path
                continue
            factory = partial(self._protocol, listener)
            server = await self._loop.create_server(factory, sock=sock, **listener.server_options())
            listener.servers.append(server)

    async def claim(self) -> None:
        """Raises: FlowError, within the step of the unit whose endpoint could not be had."""
        claimed: list[tuple[Listener, socket]] = []
        try:
            for service in self._services:
                claimed.append(await self._claim(service))
        except BaseException:
            for _, sock in claimed:
                sock.close()
            raise
        self._claimed = claimed

    def give_way(self) -> None:
        """Another flow takes over: accepts no more, and hands connections over, now and until it is closed."""
        for listener in self._listeners.values():
            listener.stop_accepting()
        self._gives_way = GiveWay(self._connections, self._claims)
        self._requests.are_last = True

    async def close(self, grace: float) -> None:
        """Accepts nothing new, lets what is in flight finish, answers the rest with 503 after `grace` seconds,
        and closes all connections."""
        began = monotonic()
        if self._gives_way is None:
            self._be_closing()
        for _, sock in self._claimed or ():
            sock.close()
        await self._requests.finish(grace)
        if self._gives_way is not None:
            await self._gives_way.finish(max(grace - (monotonic() - began), 0.0))
            self._be_closing()
        self._requests.give_up()
        await self._flush()
        for connection in list(self._connections):
            connection.cut()
        for task in self._arrivals:
            task.cancel()
        self._app.forget()

    def _be_closing(self) -> None:
        self._is_closing = self._requests.are_last = True
        for listener in self._listeners.values():
            listener.close()
        for connection in list(self._connections):
            connection.close_if_idle()

    async def _claim(self, service: HttpService) -> tuple[Listener, socket]:
        try:
            sock = await self._claims.claim(service.endpoint)
            try:
                listener = self._listener_at(service.endpoint, sock)
                listener.add(service)
            except BaseException:
                sock.close()
                raise
        except FlowError as error:
            raise error.within(open_words(service.node.description.name, service.node.plan.device)) from error
        return listener, sock

    def _listener_at(self, endpoint: Endpoint, sock: socket) -> Listener:
        """One for each bound address, however endpoints name it: `localhost` and `127.0.0.1` are one."""
        name: tuple[str, int] = sock.getsockname()[:2]
        listener = self._bound.setdefault(name, Listener(endpoint.host, endpoint.port))
        self._listeners[endpoint.host, endpoint.port] = listener
        return listener

    def _protocol(self, listener: Listener, received: bytes = b"") -> FlowProtocol:
        return FlowProtocol(
            listener=listener,
            limits=self._limits,
            received=received,
            loop=self._loop,
            app=self._app,
            connections=self._connections,
        )

    def _take_over(self, endpoint: Endpoint, connection: socket, received: bytes) -> None:
        listener = self._listeners.get((endpoint.host, endpoint.port))
        if listener is None or self._is_closing:
            connection.close()
            return
        connection.setblocking(False)
        factory = partial(self._protocol, listener, received)
        task = self._loop.create_task(self._adopt(factory, connection))
        self._arrivals.add(task)
        task.add_done_callback(self._arrivals.discard)

    async def _adopt(self, factory: Any, connection: socket) -> None:
        with suppress(OSError):
            await self._loop.connect_accepted_socket(factory, connection)

    async def _handle(self, request: FlowRequest) -> None:
        stream = request.stream
        assert stream is not None
        protocol = protocol_of(stream)
        path = request.path()
        listener = protocol.listener
        if protocol.may_hand_over and listener.tls is None:
            route = self._claims.foreign(listener.host, listener.port, path)
            if route is None and self._gives_way is not None:
                if await detach(
                    stream, request.head, partial(self._claims.hand_over, self._gives_way.route_of(protocol))
                ):
                    return
            elif route is not None:
                if not await detach(stream, request.head, partial(self._claims.hand_over, route)):
                    await send(stream, STOPPED)
                return
        protocol.may_hand_over = True
        service = listener.match(path)
        if self._is_closing:
            stream.keep_alive = False
            await send(stream, STOPPED)
        elif service is None:
            await send(stream, NOT_FOUND)
        elif request.method not in METHODS:
            await send(stream, NOT_ALLOWED)
        elif request.target == "/health":
            await send(stream, HEALTHY)
        else:
            await self._requests.serve(service, request, stream)

    async def _flush(self) -> None:
        """Lets answers reach their sockets."""
        for _ in range(int(FLUSH_SECONDS / 0.01)):
            busy = [each for each in self._connections if each.http and each.http.stage is not Stage.IDLE]
            unsent = [each for each in self._connections if each.transport and _unsent(each)]
            if not busy and not unsent:
                return
            await asyncio.sleep(0.01)


def _unsent(protocol: FlowProtocol) -> int:
    return protocol.pipe.get_write_buffer_size()
