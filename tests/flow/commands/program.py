"""The real program, as a user at a shell starts it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import httpx

PROGRAM = Path(sys.executable).with_name("modelbox-server")


def environ() -> dict[str, str]:
    """Without settings of the machine, and with the program's folder in PATH, as in an activated venv."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MODELBOX_")}
    return kept | {"PATH": f"{PROGRAM.parent}:{os.environ['PATH']}", "no_proxy": "*"}


def flow(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """`modelbox-server flow ...` to its end."""
    command = [str(PROGRAM), "flow", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=cwd, env=environ())


class RunningFlow:
    """`flow run`, under way. `url` is of the endpoint in its graph."""

    def __init__(self, process: "subprocess.Popen[str]", port: int) -> None:
        self.process = process
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False)

    def wait_until_serving(self) -> None:
        deadline = monotonic() + 30
        while monotonic() < deadline:
            assert self.process.poll() is None, self.process.communicate()
            try:
                self.http.get("/health")
            except httpx.TransportError:
                sleep(0.02)
                continue
            return
        raise AssertionError("the flow does not serve")

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def end(self) -> tuple[int, str]:
        """Waits for the end: exit code and stderr."""
        _, errors = self.process.communicate(timeout=60)
        return self.process.returncode, errors


@contextmanager
def running(graph: Path, port: int, *options: str, cwd: Path | None = None) -> Iterator[RunningFlow]:
    """A flow that serves at `port`, from when it does."""
    with started(graph, *options, port=port, cwd=cwd) as under_way:
        under_way.wait_until_serving()
        yield under_way


@contextmanager
def started(graph: Path, *options: str, port: int = 0, cwd: Path | None = None) -> Iterator[RunningFlow]:
    command = [str(PROGRAM), "flow", "run", str(graph), *options]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd, env=environ()
    )
    under_way = RunningFlow(process, port)
    try:
        yield under_way
    finally:
        under_way.http.close()
        if process.poll() is None:
            process.kill()
        process.communicate()
