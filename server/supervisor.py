"""`serve`: the API and a runner on one machine, kept running until a signal ends them.

It holds the listening socket, so that an API that is started again refuses no connection meanwhile. Its children
are forked, so that they need not import again what it has imported; it has no threads.
"""

import fcntl
import gc
import multiprocessing
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import IO

import msgspec
import structlog

from server.config import Config
from server.errors import StartError
from server.failpoints import Failpoint, hit
from server.process import end_with_parent, set_title

log = structlog.get_logger()

STOP_SECONDS = 20.0
"""What a child gets to end after SIGTERM, before SIGKILL; more than an engine's grace."""
RESTART_SECONDS = (0.05, 5.0)
"""Pause before a child that ended is started again: at first, and at most; it doubles while the child keeps
ending within HEALTHY_SECONDS."""
HEALTHY_SECONDS = 10.0
ENDING_SECONDS = 10.0
"""How long the parts of a server that was killed may take to end."""
LOOK_SECONDS = 0.05
"""How often a child whose pause is not over is looked at."""
OUR_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)

Main = Callable[[int | None], int]
"""A child's main function: takes the end of the pipe that tells when engines are known, returns the exit code."""


class Child(msgspec.Struct):
    """One process kept running."""

    name: str
    main: Main
    process: BaseProcess | None = None
    started: float = 0.0
    delay: float = RESTART_SECONDS[0]
    due: float = 0.0


@contextmanager
def state_dir_lock(state_dir: Path) -> Iterator[None]:
    """Held by one server per state directory.

    Raises: StartError, when another holds it or the directory cannot be used.
    """
    try:
        state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (state_dir / "server.lock").open("a+")
    except OSError as error:
        raise StartError(f"state directory {state_dir} cannot be used: {error.strerror}") from error
    with lock:
        _take(lock, state_dir)
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def _take(lock: IO[str], state_dir: Path) -> None:
    """The parts of a server that was killed hold its lock until they have noticed: those are waited for."""
    deadline = time.monotonic() + ENDING_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if _holder_lives(lock) or time.monotonic() > deadline:
                raise StartError(
                    f"a server is already running on state directory {state_dir}; stop it, or choose another with "
                    "--state-dir (and another --port)"
                ) from None
        time.sleep(LOOK_SECONDS)


def _holder_lives(lock: IO[str]) -> bool:
    lock.seek(0)
    holder = lock.read().strip()
    return not holder.isdigit() or Path(f"/proc/{holder}").exists()


def serve(config: Config, listener: socket.socket, *, stop_engines: bool, started: Callable[[], None]) -> int:
    """Runs API and runner until SIGTERM (engines stay, unless `stop_engines`) or SIGINT (they stop too).

    Calls `started` once both have been started.
    """
    signals = _SignalPipe()
    set_title("serve", config.state_dir)
    runner = Child("runner", _runner_main(config, listener, stop_engines))
    api = Child("api", _api_main(config, listener))
    gc.freeze()  # else the first collections of the parts would copy every page
    _first_start(runner, api)
    hit(Failpoint.SERVE_STARTED)
    started()
    ends = (signal.SIGTERM, signal.SIGINT)
    while (signum := signals.wait(LOOK_SECONDS if _any_down(runner, api) else None)) not in ends:
        for child in (runner, api):
            _keep_running(child)
    log.info("stopping", engines="stop" if stop_engines or signum == signal.SIGINT else "stay")
    _stop(api, signal.SIGTERM)
    hit(Failpoint.SERVE_API_STOPPED)
    _stop(runner, signum)
    return 0


def _runner_main(config: Config, listener: socket.socket, stop_engines: bool) -> Main:
    from server.runner.main import run  # before the fork, so that one that died is back at once

    def main(settled_fd: int | None) -> int:
        set_title("runner", config.state_dir)
        listener.close()
        return run(config, settled_fd, keep_engines=not stop_engines)

    return main


def _api_main(config: Config, listener: socket.socket) -> Main:
    from server.api.main import run  # before the fork, as well

    def main(settled_fd: int | None) -> int:
        set_title("api", config.state_dir)
        return run(config, listener, settled_fd)

    return main


def _first_start(runner: Child, api: Child) -> None:
    """The API serves when the runner has found out which engines live: it waits for the end of a pipe whose
    other end the runner holds, and closes then. Started again, neither has anything to wait for."""
    read, write = os.pipe()
    _start(runner, write, close=read)
    os.close(write)
    hit(Failpoint.SERVE_RUNNER_STARTED)
    _start(api, read)
    os.close(read)


def _any_down(*children: Child) -> bool:
    return any(child.process is None for child in children)


def _start(child: Child, settled_fd: int | None = None, close: int | None = None) -> None:
    fork = multiprocessing.get_context("fork")
    child.process = fork.Process(target=_run, args=(child, os.getpid(), settled_fd, close), name=child.name)
    # a signal between the fork and the child's own handlers would reach ours, and be lost
    signal.pthread_sigmask(signal.SIG_BLOCK, OUR_SIGNALS)
    try:
        child.process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, OUR_SIGNALS)
    child.started = time.monotonic()


def _run(child: Child, parent_pid: int, settled_fd: int | None, close: int | None) -> None:
    signal.set_wakeup_fd(-1)
    for signum in OUR_SIGNALS:
        signal.signal(signum, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, OUR_SIGNALS)
    # its own process group: a Ctrl-C at the terminal reaches the parent alone, which tells its children in order
    os.setpgid(0, 0)
    end_with_parent(parent_pid)
    if close is not None:
        os.close(close)
    try:
        raise SystemExit(child.main(settled_fd))
    except StartError as error:
        log.error("cannot start", process=child.name, reason=str(error))
        raise SystemExit(1) from error


def _keep_running(child: Child) -> None:
    now = time.monotonic()
    if child.process is not None:
        if child.process.is_alive():
            return
        log.error("a process ended, starting it again", process=child.name, code=child.process.exitcode)
        child.process.close()
        child.process = None
        hit(Failpoint.SERVE_CHILD_ENDED)
        healthy = now - child.started >= HEALTHY_SECONDS
        child.delay = RESTART_SECONDS[0] if healthy else min(child.delay * 2, RESTART_SECONDS[1])
        child.due = now + child.delay
    if now >= child.due:
        _start(child)


def _stop(child: Child, signum: int) -> None:
    process = child.process
    if process is None or process.pid is None or not process.is_alive():
        return
    os.kill(process.pid, signum)
    process.join(STOP_SECONDS)
    if process.exitcode is None:
        log.error("a process does not end, killing it", process=child.name)
        process.kill()
        process.join()


class _SignalPipe:
    """Signals as something to wait for: children's ends, and our own."""

    def __init__(self) -> None:
        self._read, write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(write, False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        for signum in OUR_SIGNALS:
            signal.signal(signum, lambda _signum, _frame: None)

    def wait(self, timeout: float | None) -> int:
        """The next signal, those that end us first; 0 when `timeout` seconds passed without one."""
        select.select([self._read], [], [], timeout)
        try:
            received = os.read(self._read, 4096)
        except BlockingIOError:
            return 0
        ends = [signum for signum in received if signum in (signal.SIGTERM, signal.SIGINT)]
        return ends[0] if ends else signal.SIGCHLD
