"""Specs of tiny flows, and what a client sees of them."""

import asyncio
import json
import socket

from server.engines.driver import EngineHandle, EngineNews
from server.engines.protocol import EngineSpec, Stalled
from tests.installation import free_port as free_port


def spec_of(job_id: str = "a", *, attempt: int = 1, epoch: int = 1, **settings: str) -> EngineSpec:
    return EngineSpec(
        job_id=job_id,
        incarnation=1,
        attempt=attempt,
        epoch=epoch,
        graph_format="json",
        source=json.dumps({"name": job_id, **settings}),
    )


async def next_news(handle: EngineHandle) -> EngineNews:
    """But for what each new connection to an engine says once more: that its flow does not stall."""
    async with asyncio.timeout(10):
        while (news := await handle.news()) == Stalled(stalls=()):
            pass
        return news


class Client:
    """One keep-alive connection."""

    def __init__(self, port: int) -> None:
        self._connection = socket.create_connection(("127.0.0.1", port), timeout=10)

    def send(self, path: str) -> None:
        self._connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())

    def receive(self) -> str:
        """The body, or "<status> <body>" when the status is not 200."""
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self._more()
        head, _, body = answer.partition(b"\r\n\r\n")
        length = int(head.rpartition(b"Content-Length: ")[2])
        while len(body) < length:
            body += self._more()
        status = head.split()[1].decode()
        return body.decode() if status == "200" else f"{status} {body.decode()}"

    def _more(self) -> bytes:
        chunk = self._connection.recv(65536)
        assert chunk, "the connection was closed"
        return chunk

    def get(self, path: str) -> str:
        self.send(path)
        return self.receive()

    def close(self) -> None:
        self._connection.close()


def get(port: int, path: str) -> str:
    client = Client(port)
    try:
        return client.get(path)
    finally:
        client.close()
