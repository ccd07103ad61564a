"""One address that a flow listens on, and which of its receive units a path belongs to."""

import asyncio

from server.flow.http.services import HttpService


class Listener:
    """Several receive units may share an address with different paths."""

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self.services: list[HttpService] = []
        self.servers: list[asyncio.Server] = []

    def add(self, service: HttpService) -> None:
        self.services.append(service)
        self.services.sort(key=lambda each: len(each.endpoint.path), reverse=True)

    def match(self, path: str) -> HttpService | None:
        """The unit with the longest prefix of `path`, segment by segment; `path` is percent-decoded."""
        for service in self.services:
            prefix = service.endpoint.path
            if not prefix or path == prefix or path.startswith(prefix + "/"):
                return service
        return None

    @property
    def keepalive_seconds(self) -> int:
        return max(service.keepalive_seconds for service in self.services)
