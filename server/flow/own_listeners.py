"""Listening sockets of a flow that runs alone: it binds them itself, and shares them with nobody."""

import asyncio
import socket

from server.flow.listeners import Endpoint, Listeners, Received, Route
from server.flow.status import FlowError, StatusCode

BACKLOG = 1024


class OwnListeners(Listeners):
    def __init__(self) -> None:
        self._sockets: dict[tuple[str, int], socket.socket] = {}

    async def claim(self, endpoint: Endpoint) -> socket.socket:
        """The first claim of an address binds it; further ones get a duplicate of the same socket."""
        key = (await _address_of(endpoint), endpoint.port)
        bound = self._sockets.get(key)
        if bound is not None and bound.fileno() >= 0:
            return bound.dup()
        bound = self._sockets[key] = _bound(*key)
        return bound

    def foreign(self, host: str, port: int, path: str) -> Route | None:
        return None

    def successor(self, endpoint: Endpoint) -> Route:
        return Route(endpoint, "")

    async def hand_over(self, route: Route, connection: socket.socket, received: bytes) -> None:
        """Raises: OSError, always: there is nobody to take a connection."""
        raise OSError(f"no other process serves {route.endpoint}")

    def on_handed_over(self, received: Received) -> None:
        """Nobody hands anything over."""


async def _address_of(endpoint: Endpoint) -> str:
    """The host's first IPv4 address, else its first IPv6 address."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        words = f"cannot listen on {endpoint.url}: the host '{endpoint.host}' is not known: {error}"
        raise FlowError(StatusCode.FAULT, words) from error
    return str(min(found, key=lambda entry: entry[0] != socket.AF_INET)[4][0])


def _bound(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((address, port))
        sock.listen(BACKLOG)
    except (OSError, OverflowError) as error:
        sock.close()
        words = f"cannot listen on {address}:{port}: {getattr(error, 'strerror', None) or error}"
        raise FlowError(StatusCode.FAULT, words) from error
    sock.setblocking(False)
    return sock
