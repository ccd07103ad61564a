"""One address that a flow listens on, and which of its receive units a path belongs to."""

import asyncio
from typing import Any

from server.flow.http.services import HttpService
from server.flow.http.tls import Tls
from server.flow.status import FlowError, StatusCode

HANDSHAKE_SECONDS = 10.0
TLS_SHUTDOWN_SECONDS = 5.0


class Listener:
    """Several receive units may share an address with different paths."""

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self.services: list[HttpService] = []
        self.servers: list[asyncio.Server] = []
        self.is_closing = False

    def add(self, service: HttpService) -> None:
        """Raises: FlowError, when the path is served already, or when the units of this address do not agree
        about TLS."""
        for other in self.services:
            _check_agreement(service, other)
        self.services.append(service)
        self.services.sort(key=lambda each: len(each.endpoint.path), reverse=True)

    def match(self, path: str) -> HttpService | None:
        """The unit with the longest prefix of `path`, segment by segment; `path` is percent-decoded."""
        for service in self.services:
            prefix = service.endpoint.path
            if not prefix or path == prefix or path.startswith(prefix + "/"):
                return service
        return None

    def close(self) -> None:
        self.is_closing = True
        self.stop_accepting()

    def stop_accepting(self) -> None:
        for server in self.servers:
            server.close()

    @property
    def keepalive_seconds(self) -> int:
        return max(service.keepalive_seconds for service in self.services)

    @property
    def tls(self) -> Tls | None:
        return self.services[0].tls

    def server_options(self) -> dict[str, Any]:
        """For `loop.create_server`. Handshakes have a time-out of their own: no request has begun yet."""
        if self.tls is None:
            return {}
        return {
            "ssl": self.tls.context,
            "ssl_handshake_timeout": HANDSHAKE_SECONDS,
            "ssl_shutdown_timeout": TLS_SHUTDOWN_SECONDS,
        }


def _check_agreement(service: HttpService, other: HttpService) -> None:
    mine, theirs = service.endpoint_text, other.endpoint_text
    if service.endpoint.tls != other.endpoint.tls:
        words = f"endpoint '{mine}': '{theirs}' is on the same address, which cannot speak http and https"
        raise FlowError(StatusCode.BADCONF, f"{words}; choose another port")
    if service.endpoint.path == other.endpoint.path:
        words = f"endpoint '{mine}' is served twice by this flow"
        if mine != theirs:
            words = f"{words}, the other time as '{theirs}'"
        raise FlowError(StatusCode.EXIST, f"{words}; choose another path or port")
    if service.tls != other.tls:
        words = f"endpoint '{mine}': '{theirs}' is on the same address and names another cert or key"
        raise FlowError(StatusCode.BADCONF, f"{words}; name the same, or choose another port")
