"""How a flow gets its listening sockets, and what happens to connections that turn out to be another flow's.

A flow that runs alone binds its sockets itself. An engine asks its host, which owns the sockets: that way a
connection made while an engine is being replaced waits in the backlog, and flows with different paths can
share one host:port.
"""

from collections.abc import Callable
from dataclasses import dataclass
from socket import socket
from typing import Protocol


@dataclass(frozen=True, order=True)
class Endpoint:
    """What an HTTP unit serves: one path prefix ("" takes everything) on one address.

    With `tls` the address is one process's alone: which path a request is for can be read only where the
    connection's TLS began, and from there it cannot be handed over.
    """

    host: str
    port: int
    path: str
    tls: bool = False

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}{self.path}"


@dataclass(frozen=True)
class Route:
    """An endpoint that another process serves on an address shared with this one.

    `key` names that process.
    """

    endpoint: Endpoint
    key: str


Received = Callable[[Endpoint, socket, bytes], None]
"""Takes a connection that another process accepted: the endpoint it is for (its host and port name the
listener here), the connected socket, and the bytes already read from it."""


class Listeners(Protocol):
    async def claim(self, endpoint: Endpoint) -> socket:
        """The listening, non-blocking TCP socket for `endpoint`.

        Raises: server.flow.status.FlowError, when the address cannot be bound or the path is taken.
        """

    def foreign(self, host: str, port: int, path: str) -> Route | None:
        """The other process whose claim on this address is the longest prefix of `path`, if one has a longer
        or equal claim than this process. Called for every request: must be cheap, and must not block."""

    def successor(self, endpoint: Endpoint) -> Route:
        """Whoever takes over this process's listeners at that address. The route's path says nothing."""

    async def hand_over(self, route: Route, connection: socket, received: bytes) -> None:
        """Gives `connection` to the process of `route`, with the bytes already read from it.

        Raises: OSError, when that process does not take it; the caller still owns the connection then.
        """

    def on_handed_over(self, received: Received) -> None:
        """Registers the flow's callback for connections that others hand over. Called once, before claims."""
