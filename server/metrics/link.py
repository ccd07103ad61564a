"""Both ends of the socket by which an API on the same machine asks the leading runner for its part of the metrics.

Who connects is sent the parts as msgpack, and the end of the stream. A new leader takes the place of the old one's
socket, so that nobody reads what a runner says that was replaced.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import structlog

from server.engines.rundir import RunDir, connect_unix, listen_unix
from server.failpoints import Failpoint, hit, io_error
from server.metrics.text import Parts

log = structlog.get_logger()

SEND_SECONDS = 5.0
"""How long who asked may leave the answer unread."""
BACKLOG = 16

_decoder = msgspec.msgpack.Decoder(Parts)


def socket_of(state_dir: Path) -> Path:
    return RunDir(state_dir).path / "metrics.sock"


async def serve(state_dir: Path, answer: Callable[[], Awaitable[Parts]]) -> None:
    """Answers until cancelled. A runner that cannot listen does the rest of its work all the same."""

    async def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            hit(Failpoint.RUNNER_METRICS_ANSWER, io_error)
            writer.write(msgspec.msgpack.encode(await answer()))
            async with asyncio.timeout(SEND_SECONDS):
                await writer.drain()
        except OSError as error:
            log.debug("metrics not sent", reason=str(error))
        finally:
            writer.close()

    path = socket_of(state_dir)
    try:
        hit(Failpoint.RUNNER_METRICS_LISTEN, io_error)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        server = await asyncio.start_unix_server(connected, sock=listen_unix(path, BACKLOG))
    except OSError as error:
        log.warning("no metrics of engines: the runner cannot listen", path=str(path), reason=str(error))
        return
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        server.close()


async def ask(state_dir: Path, seconds: float) -> Parts | None:
    """What the leader on this machine answers; None when there is none, or it does not within `seconds`."""
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(seconds):
            connection = connect_unix(socket_of(state_dir))
            reader, writer = await asyncio.open_unix_connection(sock=connection)
            return _decoder.decode(await reader.read())
    except (OSError, msgspec.DecodeError):
        return None
    finally:
        if writer is not None:
            writer.close()
