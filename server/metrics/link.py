"""Both ends of the socket by which an API on the same machine asks the leading runner.

A question is a job's id, or nothing, and the end of what is sent; it is answered, as msgpack, with what the engine
of that job says of its flow, or with the runner's part of the metrics. A new leader takes the place of the old
one's socket, so that nobody reads what a runner says that was replaced.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import msgspec
import structlog

from server.engines.protocol import Counted
from server.engines.rundir import RunDir, connect_unix, listen_unix
from server.failpoints import Failpoint, hit, io_error
from server.jobs.ids import JobId
from server.metrics.text import Parts

log = structlog.get_logger()

SEND_SECONDS = 5.0
"""How long who asked may leave the answer unread, or the question unsaid."""
BACKLOG = 16
LONGEST_QUESTION = 1024


class EngineTold(msgspec.Struct, frozen=True, kw_only=True):
    """`counted` is None when the engine did not answer in time."""

    incarnation: int
    attempt: int
    counted: Counted | None


T = TypeVar("T")

_parts = msgspec.msgpack.Decoder(Parts)
_told = msgspec.msgpack.Decoder(EngineTold | None)


def socket_of(state_dir: Path) -> Path:
    return RunDir(state_dir).path / "metrics.sock"


async def serve(
    state_dir: Path,
    parts: Callable[[], Awaitable[Parts]],
    engine: Callable[[JobId], Awaitable[EngineTold | None]],
) -> None:
    """Answers until cancelled. A runner that cannot listen does the rest of its work all the same."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(SEND_SECONDS):
                question = await reader.read(LONGEST_QUESTION)
            hit(Failpoint.RUNNER_METRICS_ANSWER, io_error)
            answer = await (engine(JobId(question.decode())) if question else parts())
            writer.write(msgspec.msgpack.encode(answer))
            async with asyncio.timeout(SEND_SECONDS):
                await writer.drain()
        except (OSError, UnicodeDecodeError) as error:
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


class NoAnswer(Exception):
    """No runner leads on this machine, or it did not answer in time."""


async def ask_parts(state_dir: Path, seconds: float) -> Parts | None:
    """What the leader on this machine counts and measures; None when there is no answer within `seconds`."""
    try:
        return await _ask(state_dir, b"", _parts, seconds)
    except NoAnswer:
        return None


async def ask_engine(state_dir: Path, job_id: JobId, seconds: float) -> EngineTold | None:
    """What the job's engine says; None when the leader on this machine has none. Raises: NoAnswer."""
    return await _ask(state_dir, job_id.encode(), _told, seconds)


async def _ask(state_dir: Path, question: bytes, decoder: msgspec.msgpack.Decoder[T], seconds: float) -> T:
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(seconds):
            connection = connect_unix(socket_of(state_dir))
            reader, writer = await asyncio.open_unix_connection(sock=connection)
            writer.write(question)
            writer.write_eof()
            return decoder.decode(await reader.read())
    except (OSError, msgspec.DecodeError) as error:
        raise NoAnswer from error
    finally:
        if writer is not None:
            writer.close()
