"""Tells other processes that something was appended. A hint: one that gets lost costs time, and nothing else."""

import asyncio
import errno
import os
import secrets
import socket
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg

from server.store.database import Database
from server.store.postgres import PostgresDatabase
from server.store.sqlite import SqliteDatabase

CHANNEL = "modelbox_log"
RECONNECT_SECONDS = 0.5


class Wakeups(ABC):
    """Belongs to one event loop; only `send` may be called from any thread."""

    def __init__(self) -> None:
        self._woken = asyncio.Event()

    async def wait(self, timeout: float) -> bool:
        """Waits for a wake-up, at most `timeout` seconds; whether one came since the last call. One waiter."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._woken.wait()
        woken = self._woken.is_set()
        self._woken.clear()
        return woken

    @abstractmethod
    def send(self) -> None:
        """Wakes every process that waits, this one too. Does not block; several may become one."""

    @abstractmethod
    async def close(self) -> None: ...


class SocketWakeups(Wakeups):
    """A datagram socket for each waiting process, in one directory beside the database."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        # a socket's address may have 107 bytes, a path more: the directory is addressed by its descriptor
        self._directory = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(self._address(self._name))
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket.fileno(), self._receive)

    def send(self) -> None:
        with suppress(OSError):
            for name in os.listdir(self._directory):
                self._send_to(name)

    async def close(self) -> None:
        self._loop.remove_reader(self._socket.fileno())
        with suppress(FileNotFoundError):
            os.unlink(self._name, dir_fd=self._directory)
        self._socket.close()
        self._sender.close()
        os.close(self._directory)

    def _address(self, name: str) -> str:
        return f"/proc/self/fd/{self._directory}/{name}"

    def _send_to(self, name: str) -> None:
        try:
            self._sender.sendto(b"!", self._address(name))
        except OSError as error:
            # EAGAIN: it has wake-ups enough to read
            if error.errno == errno.ECONNREFUSED:
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=self._directory)

    def _receive(self) -> None:
        with suppress(BlockingIOError):
            while True:
                self._socket.recv(16)
                self._woken.set()


class NotifyWakeups(Wakeups):
    """LISTEN and NOTIFY, on connections of their own: inside the append they would halve its throughput."""

    def __init__(self, database: PostgresDatabase) -> None:
        super().__init__()
        self._arguments = database.connect_arguments
        self._loop = asyncio.get_running_loop()
        self._to_send = asyncio.Event()
        self._tasks = [
            asyncio.create_task(self._for_ever(self._listen), name="wake-ups in"),
            asyncio.create_task(self._for_ever(self._notify), name="wake-ups out"),
        ]

    def send(self) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody is left to send it
            self._loop.call_soon_threadsafe(self._to_send.set)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _for_ever(self, work: "Callable[[psycopg.AsyncConnection[Any]], Awaitable[None]]") -> None:
        while True:
            with suppress(psycopg.Error, OSError):
                connection = await psycopg.AsyncConnection.connect(**self._arguments, autocommit=True)
                async with connection:
                    await work(connection)
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _listen(self, connection: "psycopg.AsyncConnection[Any]") -> None:
        await connection.execute(f"LISTEN {CHANNEL}")
        self._woken.set()  # something may have been said while nobody listened
        async for _ in connection.notifies():
            self._woken.set()

    async def _notify(self, connection: "psycopg.AsyncConnection[Any]") -> None:
        while True:
            await self._to_send.wait()
            self._to_send.clear()
            await connection.execute(f"NOTIFY {CHANNEL}")


def wakeups_of(database: Database) -> Wakeups:
    """Wake-ups among the processes that use `database`. Call in the loop that will wait.

    Raises: OSError, when the directory for the sockets cannot be made.
    """
    if isinstance(database, SqliteDatabase):
        return SocketWakeups(Path(f"{database.path}.wake"))
    assert isinstance(database, PostgresDatabase)
    return NotifyWakeups(database)
