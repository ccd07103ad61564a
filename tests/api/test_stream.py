"""A client that reads nothing is cut off, and finds its place again; a stream has an end, and a limit."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from sanic import Sanic

from server.api import main, stream
from server.config import Config, ServerSection
from server.jobs.commands import Context
from server.store import Store, upgrade
from server.store.health import HealthProbe
from server.store.history import History
from server.store.tokens import TokenReader

SOME_EVENTS = 2000
"""With 8 kB each, more than the buffers between two sockets hold."""


@pytest.fixture
async def port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    """An API in this process, whose log is long."""
    monkeypatch.setattr(Sanic, "test_mode", True)  # lets a process have an app of the same name again
    url = f"sqlite:///{tmp_path / 'stream.db'}"
    upgrade(url)
    store = await Store.open(url)
    databases = main.Databases(store, History(url), HealthProbe(url), TokenReader(url))
    await asyncio.gather(*(store.elect(Context(actor="test"), "x" * 4000, 1) for _ in range(SOME_EVENTS)))
    listener = socket.create_server(("127.0.0.1", 0))
    number = int(listener.getsockname()[1])
    stopping = asyncio.Event()
    config = Config(server=ServerSection(state_dir=str(tmp_path), database_url=url))
    serving = asyncio.create_task(main.serve(config, listener, None, databases, stopping))
    yield number
    stopping.set()
    await serving
    for part in databases:
        await part.close()


class Client:
    """A plain connection, which reads when it is told to."""

    def __init__(self, buffer: int = 0) -> None:
        self._socket = socket.socket()
        self._socket.setblocking(False)
        if buffer:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.received = b""

    async def watch(self, port: int, last_id: int) -> None:
        loop = asyncio.get_running_loop()
        await loop.sock_connect(self._socket, ("127.0.0.1", port))
        lines = ("GET /v1/modelbox/events HTTP/1.1", "Host: x", "Accept: text/event-stream")
        head = "\r\n".join((*lines, f"Last-Event-ID: {last_id}", "", ""))
        await loop.sock_sendall(self._socket, head.encode())

    async def read(self) -> bool:
        """Whether there was something to read. Raises: ConnectionResetError."""
        part = await asyncio.get_running_loop().sock_recv(self._socket, 2**20)
        self.received += part
        return part != b""

    async def read_until(self, what: bytes) -> None:
        async with asyncio.timeout(20):
            while what not in self.received:
                assert await self.read()

    @property
    def ids(self) -> list[int]:
        return [int(line) for line in re.findall(rb"^id: (\d+)\nevent:", self.received, re.M)]

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()


async def test_who_does_not_read_is_cut_off_and_finds_its_place_again(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "SEND_SECONDS", 0.3)
    with Client(buffer=4096) as client:
        await client.watch(port, 0)
        await asyncio.sleep(2)
        with suppress(ConnectionResetError):
            while await client.read():
                pass
        got = client.ids[:-1]  # the last one may be half of one
    assert 0 < len(got) < SOME_EVENTS
    with Client() as client:
        await client.watch(port, got[-1])
        await client.read_until(b"\nid: %d\nevent:" % SOME_EVENTS)
        assert got + client.ids == list(range(1, SOME_EVENTS + 1))


async def test_silence_is_broken_by_an_id(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "SILENCE_SECONDS", 0.05)
    with Client() as client:
        await client.watch(port, SOME_EVENTS)
        async with asyncio.timeout(10):
            while client.received.count(b"id: %d\n\n" % SOME_EVENTS) < 4:
                assert await client.read()
        assert client.ids == []


async def test_there_are_only_so_many_streams(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "MOST_STREAMS", 1)
    with Client() as first, Client() as second:
        await first.watch(port, SOME_EVENTS)
        await first.read_until(b"id: %d\n\n" % SOME_EVENTS)
        await second.watch(port, SOME_EVENTS)
        await second.read_until(b"\r\n\r\n")
        assert second.received.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After: 1" in second.received
    async with asyncio.timeout(10):
        while not await is_served(port):  # noqa: ASYNC110 - the place is free again once the server has noticed
            await asyncio.sleep(0.02)


async def is_served(port: int) -> bool:
    with Client() as client:
        await client.watch(port, SOME_EVENTS)
        await client.read_until(b"\r\n\r\n")
        return client.received.startswith(b"HTTP/1.1 200 ")
