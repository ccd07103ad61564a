"""Ports and connections while engines come and go."""

import os
import signal
import threading
import time

import httpx

from tests.installation import Installation, echo_flow, free_port


class Visitors:
    """Clients that connect anew for each request, all the time, and note what becomes of it."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/example"
        self._leave = threading.Event()
        self.answered = 0
        self.refused = 0
        self._threads = [threading.Thread(target=self._visit) for _ in range(4)]

    def _visit(self) -> None:
        while not self._leave.is_set():
            try:
                answer = httpx.post(self._url, content=b"x", timeout=20, trust_env=False)
            except httpx.ConnectError:
                self.refused += 1
            except httpx.TransportError:
                continue  # the engine was killed with this request in its hands
            else:
                self.answered += answer.content == b"x"

    def __enter__(self) -> "Visitors":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._leave.set()
        for thread in self._threads:
            thread.join()


def kill_engine(installation: Installation, job_id: str) -> int:
    (pid,) = installation.engines()[job_id]
    os.kill(pid, signal.SIGKILL)
    return pid


def wait_for_another(installation: Installation, job_id: str, pid: int) -> None:
    deadline = time.monotonic() + 20
    while installation.engines().get(job_id, [pid]) == [pid]:
        assert time.monotonic() < deadline, f"job {job_id} gets no other engine"
        time.sleep(0.02)
    installation.wait_for(job_id, "RUNNING")


def test_no_connection_is_refused_while_engines_are_replaced(sqlite_installation: Installation) -> None:
    installation = sqlite_installation.start()
    port = free_port()
    options = {"restart": {"delay": 0.2, "delay_max": 0.2}}
    assert installation.create("aa", echo_flow(port), options=options).status_code == 201
    with Visitors(port) as visitors:
        for round_number in range(3):
            killed = kill_engine(installation, "aa")
            if round_number == 1:
                installation.kill_server()
                installation.start()
            wait_for_another(installation, "aa", killed)
            before = visitors.answered
            while visitors.answered < before + 5:
                assert visitors.refused == 0
    assert visitors.refused == 0


def test_jobs_on_one_port_come_and_go_under_one_keep_alive_connection(
    sqlite_installation: Installation,
) -> None:
    installation = sqlite_installation.start()
    port = free_port()
    for job in ("one", "two", "three"):
        assert installation.create(job, echo_flow(port, f"/{job}")).status_code == 201
    limits = httpx.Limits(max_connections=1, max_keepalive_connections=1)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", limits=limits, timeout=20, trust_env=False) as client:

        def served(*jobs: str) -> None:
            for job in jobs:
                answer = client.post(f"/{job}", content=job.encode())
                assert (answer.status_code, answer.content) == (200, job.encode())
                used.add(answer.extensions["network_stream"].get_extra_info("client_addr"))

        used: set[object] = set()
        served("one", "two", "one", "three")
        # the connection is with the engine of three now: that of one is killed, and its next one serves
        killed = kill_engine(installation, "one")
        served("two", "one", "three")
        wait_for_another(installation, "one", killed)
        assert installation.delete("two").status_code == 204
        served("one", "three")
        assert client.post("/two").status_code == 404
        assert installation.create("two", echo_flow(port, "/two")).status_code == 201
        served("one", "two", "three")
        assert len(used) == 1
    assert {job: len(pids) for job, pids in installation.engines().items()} == {"one": 1, "two": 1, "three": 1}
