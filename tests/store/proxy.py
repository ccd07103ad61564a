"""A connection to Postgres that breaks at a chosen moment."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

SOCKET = ".s.PGSQL.5432"


class Proxy:
    """Stands before a server's Unix socket. `cut` is "before" or "after": the next COMMIT is not handed on, or is
    handed on and its answer is not; the connection ends there. `cuts` counts."""

    def __init__(self, url: str, folder: Path) -> None:
        server = url.partition("host=")[2]
        self.url = url.replace(f"host={server}", f"host={folder}")
        self.cut = ""
        self.cuts = 0
        self.connections: set[asyncio.Task[None]] = set()
        self._target = Path(server) / SOCKET
        self._folder = folder

    async def serve(self) -> asyncio.Server:
        return await asyncio.start_unix_server(self._connected, str(self._folder / SOCKET))

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.connections.add(task)
        from_server, to_server = await asyncio.open_unix_connection(str(self._target))
        back = asyncio.create_task(self._hand_on(from_server, writer))
        with suppress(ConnectionError):
            while data := await reader.read(65_536):
                if self.cut and b"COMMIT\0" in data:  # not that of READ COMMITTED
                    await self._cut(data, back, to_server)
                    break
                to_server.write(data)
                await to_server.drain()
        back.cancel()
        await asyncio.gather(back, return_exceptions=True)
        for end in (writer, to_server):
            end.close()
            with suppress(ConnectionError):
                await end.wait_closed()

    async def _cut(self, data: bytes, back: "asyncio.Task[None]", to_server: asyncio.StreamWriter) -> None:
        how, self.cut = self.cut, ""
        self.cuts += 1
        back.cancel()
        if how == "after":
            to_server.write(data)
            await to_server.drain()

    async def _hand_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()


@asynccontextmanager
async def proxied(url: str) -> AsyncIterator[Proxy]:
    with tempfile.TemporaryDirectory(prefix="pg-proxy-") as folder:
        proxy = Proxy(url, Path(folder))
        server = await proxy.serve()
        try:
            yield proxy
        finally:
            server.close()
            if proxy.connections:
                await asyncio.wait(proxy.connections, timeout=5)
