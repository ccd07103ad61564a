"""`serve`: the API and a runner on one machine, kept running until a signal ends them.

It holds the listening socket, so that an API that is started again refuses no connection meanwhile.
"""

import fcntl
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import structlog

from server.config import Config, config_for_children
from server.errors import StartError
from server.process import set_title

log = structlog.get_logger()

STOP_SECONDS = 20.0
"""What a child gets to end after SIGTERM, before SIGKILL; more than an engine's grace."""
RESTART_SECONDS = (0.05, 5.0)
"""Pause before a child that ended is started again: at first, and at most; it doubles while the child keeps
ending within HEALTHY_SECONDS."""
HEALTHY_SECONDS = 10.0
LOOK_SECONDS = 0.05
"""How often a child whose pause is not over is looked at."""


class Child(msgspec.Struct):
    """One process kept running. `argv` names its command; `fds` are handed on."""

    name: str
    argv: list[str]
    fds: tuple[int, ...]
    process: subprocess.Popen[bytes] | None = None
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
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StartError(
                f"a server is already running on state directory {state_dir}; stop it, or choose another with "
                "--state-dir (and another --port)"
            ) from None
        yield


def serve(config: Config, listener: socket.socket, *, stop_engines: bool) -> int:
    """Runs API and runner until SIGTERM (engines stay, unless `stop_engines`) or SIGINT (they stop too)."""
    set_title("serve", config.state_dir)
    signals = _SignalPipe()
    environ = os.environ | config_for_children(config)
    runner = Child("runner", ["runner"] + (["--stop-engines"] if stop_engines else []), ())
    api = Child("api", ["api", "--listen-fd", str(listener.fileno())], (listener.fileno(),))
    _first_start(runner, api, environ)
    ends = (signal.SIGTERM, signal.SIGINT)
    while (signum := signals.wait(LOOK_SECONDS if _any_down(runner, api) else None)) not in ends:
        for child in (runner, api):
            _keep_running(child, environ)
    log.info("stopping", engines="stop" if stop_engines or signum == signal.SIGINT else "stay")
    _stop(api, signal.SIGTERM)
    _stop(runner, signum)
    return 0


def _first_start(runner: Child, api: Child, environ: dict[str, str]) -> None:
    """The API serves when the runner has found out which engines live: it waits for the end of a pipe whose
    other end the runner holds, and closes then. Started again, neither has anything to wait for."""
    read, write = os.pipe()
    _start(runner, environ, "--settled-fd", write)
    _start(api, environ, "--settled-fd", read)
    os.close(write)
    os.close(read)


def _any_down(*children: Child) -> bool:
    return any(child.process is None for child in children)


def _start(child: Child, environ: dict[str, str], option: str = "", fd: int = -1) -> None:
    argv = [sys.executable, "-m", "server.cli", *child.argv, "--parent-pid", str(os.getpid())]
    fds = child.fds
    if option:
        argv += [option, str(fd)]
        fds = (*fds, fd)
    # its own process group: a Ctrl-C at the terminal reaches us alone, and we tell the children in order
    child.process = subprocess.Popen(  # noqa: S603
        argv, env=environ, pass_fds=fds, process_group=0, stdin=subprocess.DEVNULL
    )
    child.started = time.monotonic()


def _keep_running(child: Child, environ: dict[str, str]) -> None:
    now = time.monotonic()
    if child.process is not None:
        code = child.process.poll()
        if code is None:
            return
        log.error("a process ended, starting it again", process=child.name, code=code)
        child.process = None
        healthy = now - child.started >= HEALTHY_SECONDS
        child.delay = RESTART_SECONDS[0] if healthy else min(child.delay * 2, RESTART_SECONDS[1])
        child.due = now + child.delay
    if now >= child.due:
        _start(child, environ)


def _stop(child: Child, signum: int) -> None:
    if child.process is None or child.process.poll() is not None:
        return
    child.process.send_signal(signum)
    try:
        child.process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        log.error("a process does not end, killing it", process=child.name)
        child.process.kill()
        child.process.wait()


class _SignalPipe:
    """Signals as something to wait for: children's ends, and our own."""

    def __init__(self) -> None:
        self._read, write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(write, False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
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
