"""Examining graphs of strangers: each in a process of its own, few at once, for a bounded time."""

import asyncio
import logging
import math
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from server.failpoints import Failpoint, hit
from server.flow.examine.places import Spot
from server.flow.examine.task import Outcome, Task
from server.flow.examine.verdict import Finding, Verdict
from server.flow.status import StatusCode

log = logging.getLogger(__name__)

AT_ONCE = 2
WAITING = 16
"""How many may wait for their turn, for as long as one may take."""
MEMORY = 1024**3
"""Bytes of data that an examination may have."""
CLOSE_SECONDS = 1.0
OVERLAP_SECONDS = 10
"""How much later a process that waits ends itself, if its parent has not done it."""
IDLE_SECONDS = 60
"""How long a process waits for the next graph; then it is ended."""
MOST_OUTPUT = 64 * 1024**2
_MODULE = "server.flow.examine.child"
_READ = 256 * 1024


class TooMany(Exception):
    """Others are being examined; nothing was done."""


class _Unanswered(Exception):
    """The process came to no answer. The text says why."""


class Examiner:
    """On the event loop, which it never holds up. After an examination a process is started for the next one,
    which takes milliseconds then instead of half a second; it waits for `idle` seconds."""

    def __init__(self, state_dir: Path, seconds: float, memory: int = MEMORY, idle: float = IDLE_SECONDS) -> None:
        self._state_dir = state_dir
        self._seconds = seconds
        self._memory = memory
        self._idle = idle
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._spare: Process | None = None
        self._spare_ends: asyncio.TimerHandle | None = None
        self._is_open = True

    async def examine(self, task: Task) -> Outcome:
        """What became of the task; a graph that takes too long or too much is found wrong for that reason.

        Raises: TooMany.
        """
        await self._take_turn()
        hit(Failpoint.API_EXAMINE)
        try:
            process = self._taken_spare() or await self._start()
        except BaseException:
            self._turns.release()
            raise
        try:
            async with asyncio.timeout(self._seconds):
                return await _converse(process, task)
        except TimeoutError:
            return _wrong(StatusCode.TIMEDOUT, f"the graph was not examined within {self._seconds:g} seconds")
        except _Unanswered as failure:
            return _wrong(StatusCode.FAULT, str(failure))
        finally:
            _kill(process)
            self._go_on(self._give_back(process), "an examination ends")

    async def close(self) -> None:
        """Ends the processes, and waits until they are gone; not for ever."""
        self._is_open = False
        self._end_spare()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CLOSE_SECONDS)

    async def _take_turn(self) -> None:
        if self._waiting >= WAITING:
            raise TooMany
        self._waiting += 1
        try:
            async with asyncio.timeout(self._seconds):
                await self._turns.acquire()
        except TimeoutError:
            raise TooMany from None
        finally:
            self._waiting -= 1

    async def _start(self) -> Process:
        # -P: nothing in the working directory takes the place of a module
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            _MODULE,
            str(os.getpid()),
            str(self._state_dir),
            str(max(1, round(self._seconds))),
            str(self._memory),
            str(math.ceil(self._idle) + OVERLAP_SECONDS),
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            start_new_session=True,
        )

    def _taken_spare(self) -> Process | None:
        spare, self._spare = self._spare, None
        if self._spare_ends is not None:
            self._spare_ends.cancel()
        return spare if spare is not None and spare.returncode is None else None

    async def _give_back(self, process: Process) -> None:
        """The turn is given back when the process is gone for good: one that hangs in the kernel keeps it."""
        try:
            await process.wait()
        finally:
            self._turns.release()
        if self._is_open and self._spare is None and not self._waiting:
            await self._start_spare()

    async def _start_spare(self) -> None:
        try:
            spare = await self._start()
        except OSError as error:
            log.warning("no process for the next graph: %s", error)
            return
        if not self._is_open or self._spare is not None:
            _kill(spare)
            await spare.wait()
            return
        self._spare = spare
        self._spare_ends = asyncio.get_running_loop().call_later(self._idle, self._end_spare)

    def _end_spare(self) -> None:
        spare = self._taken_spare()
        if spare is not None:
            _kill(spare)
            self._go_on(_gone(spare), "a process for the next graph ends")

    def _go_on(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _kill(process: Process) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


async def _gone(process: Process) -> None:
    await process.wait()


async def _converse(process: Process, task: Task) -> Outcome:
    """Raises: _Unanswered."""
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    asking = asyncio.create_task(_ask(process.stdin, msgspec.json.encode(task)))
    complaining = asyncio.create_task(_read(process.stderr, _READ))
    try:
        answer = await _read(process.stdout, MOST_OUTPUT)
        complaint = await complaining
        code = await process.wait()
    finally:
        asking.cancel()
        complaining.cancel()
    if len(answer) > MOST_OUTPUT:
        raise _Unanswered("what there is to say of the graph is too large")
    if code != 0:
        raise _Unanswered(_reason(code, complaint))
    return msgspec.json.decode(answer, type=Outcome)


async def _ask(stdin: asyncio.StreamWriter, question: bytes) -> None:
    # one that ended before it has read everything says so by its exit code
    with suppress(ConnectionError):
        stdin.write(question)
        await stdin.drain()
        stdin.close()


async def _read(stream: asyncio.StreamReader, most: int) -> bytes:
    """To the end, of which no more than `most` bytes, and a few that tell that there were more, are kept."""
    pieces, size = [], 0
    while piece := await stream.read(_READ):
        if size <= most:
            pieces.append(piece)
            size += len(piece)
    return b"".join(pieces)


def _reason(code: int, complaint: bytes) -> str:
    if b"MemoryError" in complaint or code == -signal.SIGKILL:
        return "examining the graph takes too much memory"
    if code in (-signal.SIGXCPU, -signal.SIGALRM):
        return "examining the graph takes too long"
    last = complaint.decode(errors="replace").strip().rpartition("\n")[2]
    return f"the graph could not be examined, its process ended with {code}: {last}"


def _wrong(code: StatusCode, message: str) -> Outcome:
    text = f"{code.text}, {message}"
    return Outcome(verdict=Verdict(findings=(Finding(status=code.text, message=text, spot=Spot()),)))
