"""kill -9 of each process of the server, under everybody who watches and follows: nothing lost, nothing twice."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx

from tests.cli.program import Shell, Started
from tests.e2e.talker import Follower, talker
from tests.installation import Installation, bad_flow, free_port
from tests.streams import Watcher

EVENTS = "/v1/modelbox/events"
LINES = 1000
TALKS = f"""
    import time
    for n in range({LINES}):
        print(n)
        time.sleep(0.01)
    print("the end")
    time.sleep(1000)
"""
KILLED = ("api", "runner", "serve", "runner", "api")


class Poller:
    """Asks for what is behind the last event that it has, with `wait`, until `close`."""

    def __init__(self, server: Installation) -> None:
        self.positions: list[int] = []
        self._url = f"http://127.0.0.1:{server.port}{EVENTS}"
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self) -> "Poller":
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._thread.join(10)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        with httpx.Client(trust_env=False, timeout=10) as client:
            while not self._closed.is_set():
                with suppress(httpx.TransportError):
                    self._ask(client)
                self._closed.wait(0.02)

    def _ask(self, client: httpx.Client) -> None:
        query = {"after": str(self.positions[-1] if self.positions else 0), "wait": "1"}
        answer = client.get(self._url, params=query)
        if answer.status_code == 200:
            self.positions += [entry["position"] for entry in answer.json()["events"]]


def test_whoever_watches_or_follows_misses_nothing(installation: Installation, tmp_path: Path) -> None:
    server = installation.start()
    assert server.create("talks", talker(tmp_path, free_port(), TALKS)).status_code == 201
    shell = Shell(tmp_path, f"http://127.0.0.1:{server.port}")
    with ExitStack() as watching:
        stream = watching.enter_context(Watcher(f"http://127.0.0.1:{server.port}{EVENTS}", 0))
        poller = watching.enter_context(Poller(server))
        follower = watching.enter_context(Follower(server, "talks"))
        watch = watching.enter_context(shell.started("job", "watch", "--after", 0, "-o", "json"))
        logs = watching.enter_context(shell.started("job", "logs", "talks", "-f", "-o", "json"))
        for number, name in enumerate(KILLED):
            assert server.create_async(f"job-{number}", bad_flow()).status_code == 202
            kill(server, name)
            server.wait_for(f"job-{number}", "FAILED")
        wait_until(lambda: "the end" in follower.texts and "the end" in texts_of(logs), 60)
        assert follower.numbers == numbers_in(texts_of(logs)) == list(range(LINES))
        head = int(server.http.get(EVENTS, params={"limit": 1}).json()["head"])
        everything = list(range(1, head + 1))
        wait_until(
            lambda: all(seen[-1:] == [head] for seen in (stream.positions, poller.positions, seen_by(watch)))
        )
        assert stream.positions == poller.positions == seen_by(watch) == everything
        assert stream.connections > KILLED.count("api")


def kill(server: Installation, name: str) -> None:
    """kill -9 of that process; who takes its place does so by itself, but for `serve`."""
    (pid,) = [pid for pid, title in server.processes().items() if title.startswith(f"modelbox-server: {name} ")]
    os.kill(pid, signal.SIGKILL)
    server.http.close()
    server.http = httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=30, trust_env=False)
    if name == "serve":
        assert server.process is not None
        server.process.wait(10)
        server.start()
    server.wait_until_serving()


def complete_lines(started: Started) -> list[dict[str, Any]]:
    return [json.loads(line) for line in started.text.splitlines(keepends=True) if line.endswith("\n")]


def seen_by(watch: Started) -> list[int]:
    return [entry["position"] for entry in complete_lines(watch)]


def texts_of(logs: Started) -> list[str]:
    return [entry["text"] for entry in complete_lines(logs)]


def numbers_in(texts: list[str]) -> list[int]:
    return [int(text) for text in texts if text.isdigit()]


def wait_until(true: Callable[[], bool], timeout: float = 30) -> None:
    deadline = time.monotonic() + timeout
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)
