"""Sanic's HTTP/1.1 protocol, with the time-outs and limits of a flow."""

import asyncio
import re
from contextvars import ContextVar
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import unquote_to_bytes

from sanic.compat import Header
from sanic.exceptions import BadRequest, RequestTimeout
from sanic.http import Http, Stage
from sanic.server.protocols.http_protocol import HttpProtocol

from server.flow.limits import FlowLimits

if TYPE_CHECKING:
    from server.flow.http.app import FlowApp
    from server.flow.http.listening import Listener


TLS_CLOSE_SECONDS = 10.0
_WELL_FORMED = re.compile(rb"[^\r\n\0]*+(?:\r\n[!#$%&'*+.^_`|~0-9A-Za-z-]++:[^\r\n\0]*+)*+")
"""A head in which every line but the first begins with a header's name and colon, and which has CR, LF and NUL
nowhere else. Parsers that disagree about others can be made to see different requests."""


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
        if not _WELL_FORMED.fullmatch(head):
            raise BadRequest("malformed header")
        if headers.get("transfer-encoding", "").strip().lower() == "chunked":
            headers["transfer-encoding"] = "chunked"  # Sanic knows it in lower case only
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
        path = self.target.partition("?")[0].partition("#")[0]
        if not path.startswith("/"):
            scheme, _, rest = path.partition("://")
            slash = rest.find("/")
            if not scheme or slash < 0:
                return ""
            path = rest[slash:]
        if "%" not in path:
            return path
        return unquote_to_bytes(path).decode("utf-8", "surrogateescape")


class FlowHttp(Http):
    # a slot in place of Sanic's class attribute: the limit is the flow's, not the process's
    __slots__ = ("HEADER_MAX_SIZE",)

    def __init__(self, protocol: "FlowProtocol") -> None:
        super().__init__(protocol)  # type: ignore[no-untyped-call]
        self.HEADER_MAX_SIZE = protocol.limits.max_header_bytes


class FlowProtocol(HttpProtocol):
    """One connection. `received` was read by the process that accepted it, for a request that belongs here."""

    HTTP_CLASS = FlowHttp
    __slots__ = ("_received", "_request_began", "limits", "listener", "may_hand_over", "reads_body")

    def __init__(self, *, listener: "Listener", limits: FlowLimits, received: bytes = b"", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.listener = listener
        self.limits = limits
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
        if self.listener.is_closing:
            self.close()  # its TLS handshake began before the listener was closed

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

    def close(self, timeout: float | None = None) -> None:
        """A TLS connection says goodbye first; Sanic would cut it off."""
        if self.listener.tls is None:
            super().close(timeout)
            return
        if self._callback_check_timeouts:
            self._callback_check_timeouts.cancel()
        if self.transport is not None and not self.transport.is_closing():
            self.transport.close()
            self.loop.call_later(TLS_CLOSE_SECONDS, self._cut_unless_lost)

    def _cut_unless_lost(self) -> None:
        if self.conn_info is not None and not self.conn_info.lost:
            self.cut()

    def eof_received(self) -> bool:
        """Keeps the connection for the answer when the client has closed its sending side only."""
        http = self.http
        if http is None or http.stage is not Stage.HANDLER or self.reads_body or self.listener.tls is not None:
            return False  # TLS has no half-closed connections
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
