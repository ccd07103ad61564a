"""The driver's line to the engine host, which it starts when there is none."""

import asyncio
import contextlib
import os
import select
import signal as signals
import subprocess
import sys
import time

import msgspec

from server.engines.conversation import Line, dial
from server.engines.driver import EngineHostGone
from server.engines.identity import signal
from server.engines.protocol import HostAnswer, HostRequest, ProtocolError, host_answer
from server.engines.records import read_host
from server.engines.rundir import RunDir
from server.failpoints import Failpoint, hit, io_error

_ANSWERS_WITHIN = 10.0
_STARTS_WITHIN = 30.0
_RETRIES_FOR = 3.0
_RETRY_AFTER = 0.02
_NO_HOST = (ConnectionError, FileNotFoundError)


class HostLink:
    def __init__(self, run_dir: RunDir, runtime: str, cgroup: str) -> None:
        self._run_dir = run_dir
        self._options = ["--runtime", runtime, "--cgroup", cgroup]
        self._line: Line | None = None
        self._turn = asyncio.Lock()

    async def ask(self, request: HostRequest, *, start_host: bool = True) -> HostAnswer:
        """The host's answer. Every request is idempotent, so it is sent again when the host died meanwhile.

        Raises: EngineHostGone.
        """
        async with self._turn:
            try:
                return await self._ask_until_answered(request, start_host)
            except TimeoutError:
                self._end_silent_host()
                raise EngineHostGone("the engine host does not answer") from None
            except (OSError, ProtocolError, msgspec.DecodeError) as error:
                raise EngineHostGone(f"the engine host is not there: {error}") from error

    async def _ask_until_answered(self, request: HostRequest, start_host: bool) -> HostAnswer:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _RETRIES_FOR
        while True:
            try:
                return await self._ask_once(request, start_host)
            except (ConnectionResetError, BrokenPipeError):
                # the host died; a child that it was just forking may hold its socket for a moment longer
                if loop.time() > deadline:
                    raise
                await asyncio.sleep(_RETRY_AFTER)

    async def _ask_once(self, request: HostRequest, start_host: bool) -> HostAnswer:
        try:
            line = self._line or await self._connect(start_host)
            self._line = line
            async with asyncio.timeout(_ANSWERS_WITHIN):
                await line.send(request)
                return host_answer.decode(await line.receive())
        except BaseException:
            # an answer that comes late must not be taken for the next one
            await self.close()
            raise

    async def _connect(self, start_host: bool) -> Line:
        path = self._run_dir.path / "host.sock"
        try:
            return await dial(path)
        except _NO_HOST:
            if not start_host:
                raise
        await asyncio.to_thread(_start_host, self._run_dir, self._options)
        async with asyncio.timeout(_ANSWERS_WITHIN):
            while True:
                try:
                    return await dial(path)
                except _NO_HOST:
                    # somebody else is starting it at the same time
                    await asyncio.sleep(0.02)

    def _end_silent_host(self) -> None:
        """Makes room for a new one: as long as it lives, it holds the lock, and nothing can be started."""
        host = read_host(self._run_dir)
        if host is not None:
            signal(host, signals.SIGKILL)

    async def close(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            await line.closed()


def _start_host(run_dir: RunDir, options: list[str]) -> None:
    """Returns when the host answers, or another one is about to. Raises: EngineHostGone."""
    run_dir.create()
    hit(Failpoint.HOST_SPAWN, io_error)
    command = [sys.executable, "-m", "server.engines.host", "--state-dir", str(run_dir.state_dir)]
    with (
        open(run_dir.logs / "host.log", "ab") as log,
        subprocess.Popen(  # noqa: S603 (our own program)
            [*command, *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        ) as starter,
    ):
        word = _first_line(starter, time.monotonic() + _STARTS_WITHIN)
    if word not in ("ready", "another engine host serves this state directory"):
        raise EngineHostGone(
            f"the engine host did not start: {word or 'it said nothing'}; see {run_dir.logs}/host.log"
        )


def _first_line(starter: "subprocess.Popen[bytes]", deadline: float) -> str:
    assert starter.stdout is not None
    line = b""
    poll = select.poll()
    poll.register(starter.stdout, select.POLLIN)
    while not line.endswith(b"\n"):
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            with contextlib.suppress(ProcessLookupError):
                starter.kill()
            return "it took too long"
        chunk = os.read(starter.stdout.fileno(), 4096)
        if not chunk:
            break
        line += chunk
    return line.decode(errors="replace").strip().rpartition("\n")[2]
