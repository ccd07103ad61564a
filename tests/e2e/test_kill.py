"""kill -9, at the worst moments: what was answered holds, and nothing runs that should not."""

import os
import random
import signal
import threading
import time

import httpx
import pytest

from tests.e2e.test_first_flow import ask
from tests.installation import Installation, bad_flow, echo_flow, free_port

BURST_ROUNDS = int(os.environ.get("BURST_ROUNDS", "10"))


def test_fifty_jobs_come_back_after_everything_was_killed(installation: Installation) -> None:
    installation.start()
    ports = {f"job-{n}": free_port() for n in range(50)}
    failing = {f"job-{n}" for n in range(10, 16)}
    deleted = {f"job-{n}" for n in range(10)}
    for job_id, port in ports.items():
        answer = installation.create(job_id, bad_flow() if job_id in failing else echo_flow(port))
        assert answer.status_code == (400 if job_id in failing else 201), answer.text
    for job_id in deleted:
        assert installation.delete(job_id).status_code == 204
    before = installation.list_all()

    installation.kill_everything()
    installation.start()

    for job_id, port in ports.items():
        if job_id in deleted:
            assert installation.status(job_id).status_code == 404
        elif job_id in failing:
            assert installation.status(job_id).json() == before[job_id]
            assert before[job_id]["job_status"] == "FAILED"
        else:
            installation.wait_for(job_id, "RUNNING")
            assert ask(port).content == b"hello"
    assert set(installation.list_all()) == set(ports) - deleted
    assert set(installation.engines()) == set(ports) - deleted - failing
    assert all(len(pids) == 1 for pids in installation.engines().values())
    assert installation.run("db", "verify").returncode == 0


def test_engines_live_through_the_death_of_the_server(installation: Installation) -> None:
    installation.start()
    ports = {f"job-{n}": free_port() for n in range(5)}
    for job_id, port in ports.items():
        assert installation.create(job_id, echo_flow(port)).status_code == 201
    before = installation.engines()
    clients = [httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) for port in ports.values()]
    for client in clients:
        assert client.post("/example", content=b"a").content == b"a"

    installation.kill_server()
    for client in clients:
        assert client.post("/example", content=b"b").content == b"b"
    installation.start()

    assert installation.engines() == before
    for job_id, client in zip(ports, clients, strict=True):
        assert installation.word(job_id) == "RUNNING"
        assert client.post("/example", content=b"c").content == b"c"
        client.close()
    assert installation.delete("job-0").status_code == 204
    assert "job-0" not in installation.engines()


def test_no_status_is_stale_after_everything_was_killed(installation: Installation) -> None:
    """The first answer after a restart never says RUNNING for an engine that is dead."""
    installation.start()
    port = free_port()
    assert installation.create("aa", echo_flow(port)).status_code == 201
    installation.kill_everything()
    installation.start()
    if installation.word("aa") == "RUNNING":
        assert ask(port).content == b"hello"
    installation.wait_for("aa", "RUNNING")


def test_a_killed_engine_is_started_again(installation: Installation) -> None:
    installation.start()
    port = free_port()
    assert installation.create("phoenix", echo_flow(port)).status_code == 201
    (pid,) = installation.engines()["phoenix"]
    os.kill(pid, signal.SIGKILL)
    # the listening socket outlives the engine: this waits for the next one and is not refused
    assert ask(port).content == b"hello"
    installation.wait_for("phoenix", "RUNNING")
    assert installation.engines()["phoenix"] != [pid]


@pytest.mark.parametrize("part", ["api", "runner"])
def test_serve_starts_a_killed_part_again(installation: Installation, part: str) -> None:
    installation.start()
    port = free_port()
    assert installation.create("aa", echo_flow(port)).status_code == 201
    before = installation.engines()
    (pid,) = [pid for pid, title in installation.processes().items() if title.split()[1] == part]
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 15
    while True:
        try:
            if installation.create("bb", echo_flow(free_port())).status_code in (201, 400):
                break
        except httpx.TransportError:
            assert time.monotonic() < deadline
    installation.wait_for("bb", "RUNNING")
    assert installation.engines()["aa"] == before["aa"]
    assert ask(port).content == b"hello"


def parts_of(installation: Installation) -> list[str]:
    return [title.split()[1] for title in installation.processes().values()]


def test_parts_end_with_serve(installation: Installation) -> None:
    """kill -9 of `serve` alone must not leave an API on the port or a second runner."""
    installation.start()
    assert installation.create("aa", echo_flow(free_port())).status_code == 201
    assert installation.process is not None
    installation.process.kill()
    installation.process.wait()
    installation.start()
    # the first answer may be the old API's last one
    deadline = time.monotonic() + 10
    while sorted(parts_of(installation)) != ["api", "engine", "engine", "runner", "serve"]:
        assert time.monotonic() < deadline, parts_of(installation)
        time.sleep(0.02)
    assert installation.word("aa") == "RUNNING"


class Burst:
    """A client that creates and deletes until the server dies, and remembers what was answered."""

    def __init__(self, installation: Installation, round_: int, worker: int) -> None:
        self.installation = installation
        self.names = [f"r{round_}-w{worker}-{n}" for n in range(40)]
        self.present: set[str] = set()
        self.absent: set[str] = set()
        self.unknown: set[str] = set()

    def run(self) -> None:
        with httpx.Client(base_url=f"http://127.0.0.1:{self.installation.port}", trust_env=False) as http:
            for n, name in enumerate(self.names):
                if not self._ask(http, "PUT", name, self.present):
                    return
                if n % 2 and not self._ask(http, "DELETE", self.names[n - 1], self.absent):
                    return

    def _ask(self, http: httpx.Client, method: str, name: str, holds: set[str]) -> bool:
        self.unknown.add(name)
        try:
            if method == "PUT":
                # no server on a port of its own: the engines' ports are not what this test is about
                body = {"job_id": name, "job_graph": echo_flow(self.installation.flow_port, f"/{name}")}
                answer = http.put(self.installation.base, json=body, timeout=20)
            else:
                answer = http.delete(f"{self.installation.base}/{name}", timeout=20)
        except httpx.TransportError:
            return False
        assert answer.status_code in (201, 204, 202), answer.text
        if answer.status_code != 202:
            self.unknown.discard(name)
            self.present.discard(name)
            holds.add(name)
        return True


def test_kill_in_a_burst_of_creates_and_deletes(installation: Installation) -> None:
    present: set[str] = set()
    absent: set[str] = set()
    rng = random.Random(1104)
    installation.start()
    for round_ in range(BURST_ROUNDS):
        bursts = [Burst(installation, round_, worker) for worker in range(3)]
        threads = [threading.Thread(target=burst.run) for burst in bursts]
        for thread in threads:
            thread.start()
        time.sleep(rng.uniform(0.0, 0.6))
        installation.kill_everything()
        for thread in threads:
            thread.join()
        unknown = {name for burst in bursts for name in burst.unknown}
        present |= {name for burst in bursts for name in burst.present}
        absent |= {name for burst in bursts for name in burst.absent}

        installation.start()
        listed = installation.list_all()
        assert present <= set(listed) | unknown, f"round {round_}: lost {present - set(listed) - unknown}"
        assert not absent & set(listed), f"round {round_}: came back {absent & set(listed)}"
        for name in list(listed):
            if name not in unknown:
                installation.wait_for(name, "RUNNING")
            # one whose delete was not answered may be on its way out
            assert installation.delete(name).status_code in ((204, 404) if name in unknown else (204,))
        engines = installation.engines()
        assert engines == {}, f"round {round_}: engines without a job: {engines}"
        absent |= present
        present = set()
    assert installation.run("db", "verify").stdout.strip() == "the projection equals the event log"


def test_a_host_that_dies_while_an_engine_starts_is_replaced(installation: Installation) -> None:
    """The engine needs a host for its sockets, and nobody else has a reason to start one."""
    installation.start()
    port = free_port()
    rng = random.Random(1104)
    for n in range(4):
        accepted = installation.create_async(f"job-{n}", echo_flow(port, f"/{n}"))
        assert accepted.status_code == 202
        time.sleep(rng.uniform(0.0, 0.02))
        for pid, title in installation.processes().items():
            if "engine host" in title:
                os.kill(pid, signal.SIGKILL)
        installation.wait_for(f"job-{n}", "RUNNING")
        assert ask(port, f"/{n}").content == b"hello"
