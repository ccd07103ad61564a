"""The socket between API and runner: whatever is at its other end, who asks gets parts or None, in time."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from server.engines.protocol import Counted
from server.engines.rundir import listen_unix
from server.jobs.ids import JobId
from server.metrics.link import EngineTold, NoAnswer, ask_engine, serve, socket_of
from server.metrics.link import ask_parts as ask
from server.metrics.text import Part, Parts

PARTS: Parts = {"m": Part(b"# TYPE m gauge\n", b"m 1\n" * 100_000)}
PATIENCE = 20.0
SOON = 0.1


TOLD = EngineTold(incarnation=2, attempt=3, counted=Counted(nodes=(), status="idle"))


async def engine(job_id: JobId) -> EngineTold | None:
    return TOLD if job_id == "one-job" else None


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    # longer than what a Unix socket's address holds
    state_dir = tmp_path / ("long-" * 20)
    socket_of(state_dir).parent.mkdir(parents=True)
    return state_dir


@asynccontextmanager
async def serving(state_dir: Path, answer: Callable[[], Awaitable[Parts]]) -> AsyncIterator[None]:
    task = asyncio.create_task(serve(state_dir, answer, engine))
    while await ask(state_dir, SOON) is None:
        await asyncio.sleep(0.01)
        assert not task.done()
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def parts() -> Parts:
    return PARTS


async def test_what_is_told_arrives_whole_and_each_time(state_dir: Path) -> None:
    async with serving(state_dir, parts):
        assert await asyncio.gather(*(ask(state_dir, PATIENCE) for _ in range(5))) == [PARTS] * 5


async def test_what_an_engine_says(state_dir: Path) -> None:
    async with serving(state_dir, parts):
        assert await ask_engine(state_dir, JobId("one-job"), PATIENCE) == TOLD
        assert await ask_engine(state_dir, JobId("another"), PATIENCE) is None
    with pytest.raises(NoAnswer):
        await ask_engine(state_dir / "elsewhere", JobId("one-job"), PATIENCE)


async def test_nobody_there(state_dir: Path) -> None:
    assert await ask(state_dir, PATIENCE) is None
    listen_unix(socket_of(state_dir)).close()
    assert await ask(state_dir, PATIENCE) is None


async def test_somebody_who_says_nothing(state_dir: Path) -> None:
    with listen_unix(socket_of(state_dir)):
        assert await ask(state_dir, SOON) is None


@pytest.mark.parametrize("said", [b"", b"nonsense", msgspec.msgpack.encode(PARTS)[:-1], b"\x93\x01\x02\x03"])
async def test_somebody_who_says_something_else(state_dir: Path, said: bytes) -> None:
    async def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        writer.close()

    server = await asyncio.start_unix_server(connected, sock=listen_unix(socket_of(state_dir)))
    assert await ask(state_dir, PATIENCE) is None
    server.close()
    await server.wait_closed()


async def test_a_new_leader_takes_the_place_of_the_old_one(state_dir: Path) -> None:
    async def newer() -> Parts:
        return {"m": Part(b"# TYPE m gauge\n", b"m 2\n")}

    async with serving(state_dir, parts):
        takeover = asyncio.create_task(serve(state_dir, newer, engine))
        async with asyncio.timeout(PATIENCE):
            while (told := await ask(state_dir, PATIENCE)) == PARTS:
                pass
        assert told == await newer()
        takeover.cancel()
        await asyncio.gather(takeover, return_exceptions=True)


async def test_a_runner_that_cannot_listen_goes_on_without(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("no directory")
    async with asyncio.timeout(PATIENCE):
        await serve(tmp_path, parts, engine)
