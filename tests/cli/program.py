"""The real program, in a pipe or on a terminal of its own."""

import os
import pty
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fcntl import ioctl
from pathlib import Path
from threading import Thread

from tests.installation import PROGRAM

Done = subprocess.CompletedProcess[str]


class Shell:
    """Runs `modelbox-server ...` with a home of its own, against one server."""

    def __init__(self, home: Path, url: str) -> None:
        self.home = home
        self.environ = {key: value for key, value in os.environ.items() if not key.startswith("MODELBOX_")}
        self.environ |= {"HOME": str(home), "XDG_CONFIG_HOME": str(home), "MODELBOX_URL": url, "TERM": "xterm"}
        for name in ("NO_COLOR", "COLUMNS", "LINES"):
            self.environ.pop(name, None)

    def run(self, *arguments: object, text: str = "") -> Done:
        """In a pipe, to its end."""
        command = [str(PROGRAM), *map(str, arguments)]
        return subprocess.run(
            command, input=text, capture_output=True, text=True, timeout=60, env=self.environ, cwd=self.home
        )

    @contextmanager
    def started(self, *arguments: object) -> Iterator["Started"]:
        """In a pipe, under way."""
        process = subprocess.Popen(
            [str(PROGRAM), *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environ,
            cwd=self.home,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        with _ended(process):
            yield Started(process, process.stdout.fileno(), process.stderr.fileno())

    @contextmanager
    def on_terminal(self, *arguments: object, width: int = 120) -> Iterator["Started"]:
        ours, theirs = pty.openpty()
        ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
        process = subprocess.Popen(
            [str(PROGRAM), *map(str, arguments)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=self.environ,
            cwd=self.home,
            start_new_session=True,
            preexec_fn=lambda: ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)
        with _ended(process):
            yield Started(process, ours)
        os.close(ours)


@contextmanager
def _ended(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    try:
        yield
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


class Started:
    """`text` is what it has printed on stdout so far, on a terminal all of it; `errors` its stderr."""

    def __init__(self, process: "subprocess.Popen[bytes]", *outputs: int) -> None:
        self.process = process
        self._outputs = outputs
        self._read = [b"" for _ in outputs]
        self._readers = [Thread(target=self._follow, args=(n,), daemon=True) for n in range(len(outputs))]
        for reader in self._readers:
            reader.start()

    @property
    def text(self) -> str:
        return self._read[0].decode()

    @property
    def errors(self) -> str:
        return self._read[1].decode()

    def _follow(self, n: int) -> None:
        with suppress(OSError):  # a terminal ends with an error
            while part := os.read(self._outputs[n], 65536):
                self._read[n] += part

    def type(self, keys: str) -> None:
        os.write(self._outputs[0], keys.encode())

    def wait_for(self, text: str, n: int = 0, times: int = 1) -> None:
        deadline = time.monotonic() + 30
        while self._read[n].decode().count(text) < times:
            assert time.monotonic() < deadline, self._read
            assert self.process.poll() is None, self._read
            time.sleep(0.01)

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def end(self) -> int:
        """Its exit code, once it has ended and all that it printed is read."""
        code = self.process.wait(30)
        for reader in self._readers:
            reader.join(10)
        return code
