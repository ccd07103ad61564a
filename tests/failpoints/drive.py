"""Everything that an installation does in its life, in steps, with notes of what its client was told."""

import contextlib
import os
import signal
import time
from collections.abc import Callable

import httpx

from tests.chaos.load import Notes
from tests.chaos.monkey import part_of
from tests.installation import Installation, bad_flow, echo_flow

KEPT = "kept"
NOT_HEARD = (httpx.TransportError,)


class Drive:
    """Steps go on when something refuses or dies under them; what a 2xx promised is in `notes`."""

    def __init__(self, installation: Installation, notes: Notes) -> None:
        self._installation = installation
        self.notes = notes
        self._number = 0
        self._first = 0

    def until(self, done: Callable[[], bool]) -> bool:
        """Takes each step once, or until `done`; it begins with the step at which it was done the time before."""
        steps = self._steps()
        for n in range(len(steps)):
            at = (self._first + n) % len(steps)
            steps[at]()
            if done():
                self._first = at
                return True
        return False

    def _steps(self) -> list[Callable[[], None]]:
        return [
            self.create_use_delete,
            self.create_what_fails,
            self.change,
            self.stop_start_restart,
            lambda: self.kill("engine"),
            lambda: self.kill("host"),
            lambda: self.kill("runner"),
            lambda: self.kill("api"),
            lambda: self.restart(signal.SIGTERM),
            lambda: self.restart(signal.SIGINT),
        ]

    def create(self, job_id: str) -> None:
        self.notes.unsure.add(job_id)
        with contextlib.suppress(*NOT_HEARD):
            flow = echo_flow(self._installation.flow_port, f"/{job_id}")
            answer = self._installation.http.put(
                self._installation.base,
                json={"job_id": job_id, "job_graph": flow},
                headers={"Idempotency-Key": f"{job_id} at {time.monotonic_ns()}".replace(" ", "-")},
            )
            assert answer.status_code in (201, 202, 400, 503), answer.text
            if answer.status_code in (201, 202):
                self.notes.know(job_id, self.notes.present)

    def delete(self, job_id: str) -> None:
        self.notes.present.discard(job_id)
        self.notes.unsure.add(job_id)
        with contextlib.suppress(*NOT_HEARD):
            answer = self._installation.delete(job_id)
            assert answer.status_code in (202, 204, 404, 503), answer.text
            if answer.status_code in (204, 404):
                self.notes.know(job_id, self.notes.absent)

    def create_use_delete(self) -> None:
        job_id = f"job-{self._number}"
        self._number += 1
        self.create(job_id)
        with contextlib.suppress(*NOT_HEARD):
            httpx.post(
                f"http://127.0.0.1:{self._installation.flow_port}/{job_id}",
                content=b"x",
                trust_env=False,
                verify=False,
            )
        self.scrape()
        self.delete(job_id)

    def create_what_fails(self) -> None:
        with contextlib.suppress(*NOT_HEARD):
            answer = self._installation.create("bad", bad_flow())
            assert answer.status_code in (201, 202, 400, 503), f"{answer.status_code} {answer.text}"
        self.delete("bad")
        with contextlib.suppress(*NOT_HEARD):
            answer = self._installation.http.post(
                f"{self._installation.base}/validate", json={"job_graph": bad_flow()}
            )
            assert answer.status_code == 200, answer.text

    def change(self) -> None:
        """Of a job that runs, to another version; twice, so that both seats are used."""
        job_id = f"changed-{self._number}"
        self._number += 1
        self.create(job_id)
        for version in range(2):
            graph = echo_flow(self._installation.flow_port, f"/{job_id}/{version}")
            with contextlib.suppress(*NOT_HEARD):
                answer = self._installation.change(job_id, job_graph=graph)
                assert answer.status_code in (200, 202, 400, 404, 409, 503), answer.text
        self.delete(job_id)

    def stop_start_restart(self) -> None:
        job_id = f"ordered-{self._number}"
        self._number += 1
        self.create(job_id)
        self.order(job_id, "stop", self.notes.stopped)
        self.order(job_id, "start", self.notes.present)
        self.order(job_id, "restart", self.notes.present)
        self.delete(job_id)

    def order(self, job_id: str, word: str, then: set[str]) -> None:
        """What is on record is carried out, whoever dies before."""
        self.notes.unsure.add(job_id)
        with contextlib.suppress(*NOT_HEARD):
            answer = self._installation.http.post(f"{self._installation.base}/{job_id}/{word}")
            assert answer.status_code in (200, 202, 400, 404, 503), answer.text
            if answer.status_code in (200, 202):
                self.notes.know(job_id, then)

    def scrape(self) -> None:
        """Answers of the last second are given again, so that only one of several is sure to reach the runner."""
        with contextlib.suppress(*NOT_HEARD):
            answer = self._installation.http.get("/metrics")
            assert answer.status_code == 200, answer.text

    def kill(self, part: str) -> None:
        """kill -9 of all processes of that part; returns when the program has had time to notice."""
        for pid, title in self._installation.processes().items():
            if part_of(title) == part:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self._until_seen_running()

    def restart(self, signum: int) -> None:
        process = self._installation.process
        assert process is not None
        if process.poll() is None:
            self._installation.stop(signum)
        with contextlib.suppress(AssertionError):  # it may be killed once more, while it starts
            self._installation.start()
        self._until_seen_running()

    def _until_seen_running(self) -> None:
        """Until the job that is always there runs again, by its process; not for ever, for it may not."""
        deadline = time.monotonic() + 3.0
        time.sleep(0.1)
        while KEPT not in self._installation.engines() and time.monotonic() < deadline:
            time.sleep(0.02)
        self.scrape()
