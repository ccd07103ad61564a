"""Where the files of one state directory lie, and Unix sockets in it whatever the length of its path.

run/host.sock, host.lock          the engine host
run/epoch.<log>.<n>               the newest leader of an event log that has been at work here
run/engines/<key>.sock            an engine's control socket
run/engines/<key>.lock            held by the engine for its life; says who it is
run/engines/<key>.end             its last news, until somebody has recorded it
run/engines/<key>.http            of a job: its engine takes there connections that other engines accepted
run/listeners/<address>_<port>.json   who serves which path of a shared address
logs/host.log                     what the engine host has to say
logs/jobs/<job>/                  what engines have to say: engines/logs/files.py
"""

import os
import re
import resource
import socket
from hashlib import sha256
from pathlib import Path


def key_of(job_id: str, seat: int = 0) -> str:
    """Of a job, which is that of the engine in its first seat too; its second seat has another."""
    key = sha256(job_id.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{key}b" if seat else key


class RunDir:
    """Paths under one state directory. Making the object touches nothing."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir.absolute()
        self.path = self.state_dir / "run"
        self.engines = self.path / "engines"
        self.listeners = self.path / "listeners"
        self.logs = self.state_dir / "logs"

    def create(self) -> None:
        for directory in (self.path, self.engines, self.listeners, self.logs / "jobs"):
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    def of_engine(self, job_id: str, suffix: str, seat: int = 0) -> Path:
        """`seat` is 0 or 1: while a job is being changed it has two engines."""
        return self.engines / f"{key_of(job_id, seat)}.{suffix}"

    def handed_over(self, job_id: str) -> Path:
        """Where the engine that serves the job takes connections that others accepted."""
        return self.engines / f"{key_of(job_id)}.http"

    def job_logs(self, job_id: str) -> Path:
        """A folder; its name is the id where that can be, else made unique by the key."""
        if re.fullmatch(r"[0-9A-Za-z\-+~_][0-9A-Za-z\-+~_.]{0,99}", job_id):
            return self.logs / "jobs" / job_id
        safe = re.sub(r"[^0-9A-Za-z\-+~_.]", "_", job_id)[:60]
        return self.logs / "jobs" / f"_{safe}.{key_of(job_id)}"

    def routing_table(self, address: str, port: int) -> Path:
        return self.listeners / f"{address.replace('/', '_')}_{port}.json"


def raise_descriptor_limit() -> None:
    """Each engine costs the host and the runner a few descriptors; the usual soft limit ends at some hundreds."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _unix_address(directory: int, path: Path) -> str:
    # a socket address holds 108 bytes; through a descriptor of the directory any path fits
    return f"/proc/self/fd/{directory}/{path.name}"


def listen_unix(path: Path, backlog: int = 128) -> socket.socket:
    """A non-blocking listening socket at `path`; a stale one is replaced. Raises: OSError."""
    path.unlink(missing_ok=True)
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        listener.bind(_unix_address(directory, path))
        listener.listen(backlog)
    except OSError:
        listener.close()
        raise
    finally:
        os.close(directory)
    return listener


def connect_unix(path: Path) -> socket.socket:
    """A non-blocking connected socket. Never waits: a full backlog raises BlockingIOError, nobody there
    ConnectionRefusedError or FileNotFoundError."""
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        connection.connect(_unix_address(directory, path))
    except OSError:
        connection.close()
        raise
    finally:
        os.close(directory)
    return connection


def write_atomically(path: Path, content: bytes) -> None:
    """A reader sees the old content or the new, never a part."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_bytes(content)
    draft.replace(path)
