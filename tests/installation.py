"""A real installation under test: the program as a user starts it, on free ports and in a temporary directory."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from tests.history import assert_legal, read_history
from tests.processes import PROCESS_PREFIX, engines_of, kill_all, processes_of

PROGRAM = Path(sys.executable).with_name("modelbox-server")


PORTS = range(12_000, 32_000)
"""Below those that the kernel takes for outgoing connections."""


_claims: list[socket.socket] = []


def free_port() -> int:
    """A port that nobody listens on, and that no test run on this machine was given and lives."""
    while True:
        port = random.choice(PORTS)
        if _claim(port):
            with socket.socket() as probe, contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port


def _claim(port: int) -> bool:
    """By a name that one process can hold, and that is free again when the process is gone."""
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0modelbox-server-test-port-{port}")
    except OSError:
        claim.close()
        return False
    _claims.append(claim)
    return True


def echo_flow(port: int, path: str = "/example") -> dict[str, Any]:
    """The graph of ModelBox's API page, on another port."""
    receive = (
        "httpserver_sync_receive[type=flowunit, flowunit=httpserver_sync_receive, device=cpu, deviceid=0, "
        f'endpoint="http://127.0.0.1:{port}{path}", max_requests=10, time_out=5000]'
    )
    reply = "httpserver_sync_reply[type=flowunit, flowunit=httpserver_sync_reply, device=cpu, deviceid=0]"
    edge = "httpserver_sync_receive:out_request_info -> httpserver_sync_reply:in_reply_info"
    return {
        "graph": {"format": "graphviz", "graphconf": [" digraph demo { ", receive, reply, edge, " }"]},
        "driver": {"dir": "", "skip-default": "false"},
    }


def bad_flow() -> dict[str, Any]:
    graph = "digraph bad { a[flowunit=no_such_unit, device=cpu]; b[flowunit=no_such_unit]; a:x -> b:y }"
    return {"graph": {"format": "graphviz", "graphconf": graph}}


class Installation:
    """`serve` and everything that it starts. Use as a context manager: nothing is left behind."""

    def __init__(self, state_dir: Path, database_url: str | None = None, *options: str) -> None:
        self.state_dir = state_dir
        self.database_url = database_url
        self.options = list(options)
        self.wrapper: list[str] = []  # a command that runs `serve`
        self.environ: dict[str, str] = {}  # on top of what is inherited
        self.port = free_port()
        self.flow_port = free_port()  # for flows that share one
        self.process: subprocess.Popen[bytes] | None = None
        self.http = self._client()

    def _client(self) -> httpx.Client:
        # to read the authorities that nobody asks for takes longer than most requests
        url = f"http://127.0.0.1:{self.port}"
        return httpx.Client(base_url=url, timeout=30, trust_env=False, verify=False)

    @property
    def base(self) -> str:
        return "/v1/modelbox/job"

    def command(self, *argv: str) -> list[str]:
        command = [str(PROGRAM), *argv, "--state-dir", str(self.state_dir)]
        return command + (["--database-url", self.database_url] if self.database_url else [])

    def start(self) -> "Installation":
        """Starts `serve` and returns when the API answers."""
        argv = [*self.wrapper, *self.command("serve"), "--port", str(self.port), *self.options]
        with (self.state_dir.parent / f"{self.state_dir.name}.out").open("ab") as out:
            self.process = subprocess.Popen(argv, stdout=out, stderr=out, env=self._environ())
        self.wait_until_serving()
        return self

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Runs a command of the program on this installation to its end."""
        return subprocess.run(self.command(*argv), capture_output=True, text=True, timeout=60, env=self._environ())

    def wait_until_serving(self, timeout: float = 30) -> None:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            assert self.process is not None
            assert self.process.poll() is None, self.output()
            if self._serves():
                return
            time.sleep(0.02)
        raise AssertionError(f"the server does not serve: {self.output()}")

    def _serves(self) -> bool:
        try:
            self.http.get(f"{self.base}/list/all")
        except httpx.TransportError:
            return False
        # the API of a server that was killed may have answered, with its last breath
        return any(title.startswith(f"{PROCESS_PREFIX}serve ") for title in self.processes().values())

    def output(self) -> str:
        return (self.state_dir.parent / f"{self.state_dir.name}.out").read_text()

    def _environ(self) -> dict[str, str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("MODELBOX_")}
        # tests kill engines again and again; the runner sees some of that before it dies itself, and the delay
        # doubles each time
        return inherited | {"MODELBOX_ENGINE_RESTART_DELAY_MAX": "1"} | self.environ

    def create(self, job_id: str, graph: dict[str, Any], **more: Any) -> httpx.Response:
        return self.http.put(self.base, json={"job_id": job_id, "job_graph": graph, **more})

    def create_async(self, job_id: str, graph: dict[str, Any]) -> httpx.Response:
        """Answered as soon as the job is on record."""
        body = {"job_id": job_id, "job_graph": graph}
        return self.http.put(self.base, json=body, headers={"Prefer": "respond-async"})

    def change(self, job_id: str, **fields: Any) -> httpx.Response:
        return self.http.patch(f"{self.base}/{job_id}", json=fields)

    def status(self, job_id: str) -> httpx.Response:
        return self.http.get(f"{self.base}/{job_id}")

    def word(self, job_id: str) -> str:
        answer = self.status(job_id)
        return "NOTEXIST" if answer.status_code == 404 else str(answer.json()["job_status"])

    def wait_for(self, job_id: str, word: str, timeout: float = 20) -> None:
        deadline = time.monotonic() + timeout
        while (now := self.word(job_id)) != word:
            assert time.monotonic() < deadline, f"{job_id} is {now}, not {word}\n{self.output()}"
            time.sleep(0.02)

    def wait_until(self, job_id: str, holds: Callable[[dict[str, Any]], bool], timeout: float = 20) -> None:
        """Until that holds of the job's status."""
        deadline = time.monotonic() + timeout
        while not holds(status := self.status(job_id).json()):
            assert time.monotonic() < deadline, f"{status}\n{self.output()}"
            time.sleep(0.02)

    def list_all(self) -> dict[str, dict[str, str]]:
        jobs = self.http.get(f"{self.base}/list/all").json()["job_list"]
        return {job["job_id"]: job for job in jobs}

    def delete(self, job_id: str) -> httpx.Response:
        return self.http.delete(f"{self.base}/{job_id}")

    def engines(self) -> dict[str, list[int]]:
        return engines_of(self.state_dir)

    def processes(self) -> dict[int, str]:
        return processes_of(self.state_dir)

    def kill_everything(self) -> None:
        kill_all(self.state_dir)
        self._reap()

    def kill_server(self) -> None:
        """kill -9 of everything but the engines and their host."""
        for pid, title in self.processes().items():
            if title.split()[1] != "engine":
                os.kill(pid, signal.SIGKILL)
        self._reap()

    def stop(self, signum: int = signal.SIGTERM) -> int:
        """Ends `serve` by a signal and returns its exit code."""
        assert self.process is not None
        self.process.send_signal(signum)
        return self.process.wait(40)

    def _reap(self) -> None:
        if self.process is not None:
            self.process.wait(10)
        # the connection pool holds connections to a server that is gone
        self.http.close()
        self.http = self._client()

    def __enter__(self) -> "Installation":
        return self

    def __exit__(self, failure: object = None, *_: object) -> None:
        self.kill_everything()
        self.http.close()
        if failure is None:
            self.check_history()

    def check_history(self) -> None:
        """Every test ends with this: whatever it did, what is in the log must make sense."""
        database = self.database_url or self.state_dir / "modelbox.db"
        if isinstance(database, str) or (database.exists() and database.stat().st_size):
            assert_legal(read_history(database))
