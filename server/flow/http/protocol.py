"""Sanic's HTTP/1.1 protocol, with the time-outs and limits of a flow."""

import asyncio
from contextvars import ContextVar
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import unquote_to_bytes

from sanic.compat import Header
from sanic.exceptions import RequestTimeout
from sanic.http import Http, Stage
from sanic.server.protocols.http_protocol import HttpProtocol

if TYPE_CHECKING:
    from server.flow.http.app import FlowApp
    from server.flow.http.listening import Listener


class FlowRequest:
    """A request head. Sanic's own request parses the URL and much more that a catch-all has no use for."""

    _current: ClassVar[ContextVar["FlowRequest"]] = ContextVar("request")

    def __init__(
        self,
        url_bytes: bytes,
        headers: Header,
        version: str,
        method: str,
        transport: asyncio.Transport,
        app: "FlowApp",
        head: bytes = b"",
    ) -> None:
        self.target = url_bytes.decode("ascii")
        self.headers = headers
        self.version = version
        self.method = method
        self.head = head
        self.stream: Http | None = None
        self.conn_info: object = None

    @property
    def url(self) -> str:
        return self.target

    def path(self) -> str:
        """The percent-decoded path, "" when the target has none."""
        target = self.target
        if not target.startswith("/"):
            scheme, _, rest = target.partition("://")
            slash = rest.find("/")
            if not scheme or slash < 0:
                return ""
            target = rest[slash:]
        path = target.partition("?")[0].partition("#")[0]
        if "%" not in path:
            return path
        return unquote_to_bytes(path).decode("utf-8", "surrogateescape")


class FlowHttp(Http):
    __slots__ = ()

    HEADER_MAX_SIZE = 65536


class FlowProtocol(HttpProtocol):
    """One connection. `received` was read by the process that accepted it, for a request that belongs here."""

    HTTP_CLASS = FlowHttp
    __slots__ = ("_received", "_request_began", "listener", "may_hand_over", "reads_body")

    def __init__(self, *, listener: "Listener", received: bytes = b"", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.listener = listener
        self.reads_body = False
        # who got a connection from another process does not send it back: two tables that
        # disagree would play ball with it
        self.may_hand_over = not received
        self.keep_alive_timeout = listener.keepalive_seconds
        self._received = received
        self._request_began = 0.0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)  # type: ignore[no-untyped-call]
        if self._received:
            self.recv_buffer += self._received
            self._received = b""

    @property
    def pipe(self) -> asyncio.Transport:
        assert self.transport is not None
        return self.transport

    async def write(self, data: Any) -> None:
        """Waits while the client is slow to read. Raises: RequestCancelled, when the connection is closing."""
        await self.send(data)  # type: ignore[no-untyped-call]

    async def read_more(self) -> None:
        """Waits until there is more in `recv_buffer`."""
        await self.receive_more()  # type: ignore[no-untyped-call]

    def cut(self) -> None:
        self.abort()  # type: ignore[no-untyped-call]

    def eof_received(self) -> bool:
        """Keeps the connection for the answer when the client has closed its sending side only."""
        http = self.http
        if http is None or http.stage is not Stage.HANDLER or self.reads_body:
            return False
        http.keep_alive = False
        return True

    def check_timeouts(self) -> None:
        """Closes connections that are idle for too long, and those that are slow to send a request.

        While the flow works on a request nothing is due here: the receive unit has a time-out of its own.
        """
        http = self._http
        if self._task is None or http is None:
            return
        now = monotonic()
        pause = now - self._time
        if http.stage is Stage.IDLE:
            self._request_began = 0.0
            if pause > self.keep_alive_timeout:
                self._task.cancel()
                return
        elif http.stage is Stage.REQUEST or self.reads_body:
            self._request_began = self._request_began or self._time
            head_is_slow = http.stage is Stage.REQUEST and now - self._request_began > self.request_timeout
            if pause > self.request_timeout or head_is_slow:
                http.exception = RequestTimeout("the request did not arrive in time")
                self._task.cancel()
                return
        interval = max(0.1, min(self.keep_alive_timeout, self.request_timeout) / 2)
        self._callback_check_timeouts = self.loop.call_later(interval, self.check_timeouts)
