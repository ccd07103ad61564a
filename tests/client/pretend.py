"""A listener that gives the answers it was told to, one a connection, and then 503: what no real server does on
demand."""

import socket
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress

BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def answer(status: int, body: bytes, headers: Mapping[str, str] | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status} Answer", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Pretender:
    """None among the answers: the request is read and the connection closed."""

    def __init__(self, answers: Sequence[bytes | None]) -> None:
        self._answers = list(answers)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.requests: list[str] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                with connection:
                    self.requests.append(self._request(connection))
                    given = self._answers.pop(0) if self._answers else BUSY
                    if given is not None:
                        connection.sendall(given)

    def _request(self, connection: socket.socket) -> str:
        head = b""
        while b"\r\n\r\n" not in head and (part := connection.recv(65536)):
            head += part
        head, _, body = head.partition(b"\r\n\r\n")
        text = head.decode()
        sizes = [line.partition(":")[2] for line in text.splitlines() if line.lower().startswith("content-length")]
        while sizes and len(body) < int(sizes[0]):
            body += connection.recv(65536)
        return text

    def __enter__(self) -> "Pretender":
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)
