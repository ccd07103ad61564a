"""A client of server-sent events for tests: reads, reconnects with Last-Event-ID, keeps what it got."""

import json
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import httpx

RECONNECT_SECONDS = 0.05


class Watcher:
    """Follows a stream on a thread of its own until `close`, over as many connections as it takes."""

    def __init__(
        self,
        url: str,
        last_id: int | None = None,
        params: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.entries: list[dict[str, Any]] = []
        self.last_id = last_id
        self.connections = 0
        self.refused: httpx.Response | None = None
        self._url = url
        self._params = params or {}
        self._headers = headers or {}
        self._socket: socket.socket | None = None
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self.wait_for(lambda: self.last_id is not None)

    @property
    def positions(self) -> list[int]:
        return [entry["position"] for entry in self.entries]

    @property
    def types(self) -> list[str]:
        return [entry["type"] for entry in self.entries]

    def wait_for(self, holds: Callable[[], bool], timeout: float = 20) -> None:
        deadline = time.monotonic() + timeout
        while not holds():
            assert time.monotonic() < deadline, f"{self._url}: {self.types}, last id {self.last_id}"
            time.sleep(0.005)

    def close(self) -> None:
        self._closed.set()
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)  # ends a read that waits
        self._thread.join(10)
        assert not self._thread.is_alive()

    def __enter__(self) -> "Watcher":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        with httpx.Client(trust_env=False, timeout=30) as client:
            while not self._closed.is_set():
                with suppress(httpx.TransportError):
                    self._connect(client)
                self._closed.wait(RECONNECT_SECONDS)

    def _connect(self, client: httpx.Client) -> None:
        headers = self._headers | {"Accept": "text/event-stream"}
        if self.last_id is not None:
            headers["Last-Event-ID"] = str(self.last_id)
        with client.stream("GET", self._url, headers=headers, params=self._params) as answer:
            if answer.status_code != 200:
                answer.read()
                self.refused = answer
                return
            self.connections += 1
            self._socket = answer.extensions["network_stream"].get_extra_info("socket")
            frame: dict[str, str] = {}
            for line in answer.iter_lines():
                if line:
                    name, _, value = line.partition(": ")
                    frame[name] = value
                    continue
                self._take(frame)
                frame = {}
                if self._closed.is_set():
                    return

    def _take(self, frame: dict[str, str]) -> None:
        if "data" in frame:
            entry = json.loads(frame["data"])
            assert (frame["id"], frame["event"]) == (str(entry["position"]), entry["type"])
            self.entries.append(entry)
        self.last_id = int(frame["id"])
