"""Clients that create, change, stop, start, delete and use jobs while everything dies around them; they note what
they are told."""

import threading
import time
from dataclasses import dataclass, field

import httpx

from tests.installation import Installation, echo_flow

ANSWER_SECONDS = 40.0
"""No answer at all within this time counts as unanswered. A refused or broken connection is an answer."""
STOPPED = "STOPPED"
"""In place of the status of a job that somebody stopped."""


@dataclass
class Notes:
    """What the clients know. `present`: it was answered that it was created or started. `stopped`: that it was
    stopped. `absent`: that it was deleted. `unsure`: the last command about it was not
    answered, so each may be true."""

    present: set[str] = field(default_factory=set)
    stopped: set[str] = field(default_factory=set)
    absent: set[str] = field(default_factory=set)
    unsure: set[str] = field(default_factory=set)
    commands: int = 0
    data_requests: int = 0
    unanswered: int = 0

    def settle(self, listed: dict[str, str]) -> None:
        """Takes over the server's word on the jobs that nobody can know."""
        for job_id in list(self.unsure):
            word = listed.get(job_id)
            self.know(job_id, self.absent if word is None else self.stopped if word == STOPPED else self.present)

    def know(self, job_id: str, where: set[str]) -> None:
        for jobs in (self.present, self.stopped, self.absent, self.unsure):
            jobs.discard(job_id)
        where.add(job_id)


class Client:
    """Works until `stop` is set. Each has jobs of its own, so that notes of different clients agree."""

    def __init__(self, installation: Installation, number: int, stop: threading.Event, notes: Notes) -> None:
        self._installation = installation
        self._number = number
        self._stop = stop
        self.notes = notes

    def run(self) -> None:
        with httpx.Client(trust_env=False, timeout=ANSWER_SECONDS, verify=False) as http:
            turn = 0
            while not self._stop.is_set():
                self._take_turn(http, turn)
                turn += 1

    def _take_turn(self, http: httpx.Client, turn: int) -> None:
        job_id = f"c{self._number}-{turn % 4}"
        try:
            if turn % 3 == 2:
                self._use(http)
            elif turn % 5 == 3 and job_id in self.notes.present:
                self._change(http, job_id, turn)
            elif job_id in self.notes.stopped:
                self._start(http, job_id)
            elif turn % 5 == 1 and job_id in self.notes.present:
                self._stop_job(http, job_id)
            elif turn % 5 == 4 and job_id in self.notes.present:
                self._restart(http, job_id)
            elif job_id in self.notes.present:
                self._delete(http, job_id)
            else:
                self._create(http, job_id)
        except httpx.ReadTimeout:
            self.notes.unanswered += 1
        except httpx.TransportError:
            time.sleep(0.02)

    def _create(self, http: httpx.Client, job_id: str) -> None:
        body = {"job_id": job_id, "job_graph": echo_flow(self._installation.flow_port, f"/{job_id}")}
        self.notes.unsure.add(job_id)
        answer = http.put(f"{self._url()}", json=body)
        self.notes.commands += 1
        if answer.status_code == 201:
            self.notes.know(job_id, self.notes.present)
        elif answer.status_code == 503:
            return
        else:
            # an earlier command of ours about it was not answered
            assert answer.json()["error_code"] in ("MODELBOX_005", "MODELBOX_008"), answer.text

    def _change(self, http: httpx.Client, job_id: str, turn: int) -> None:
        """What an engine has to be started anew for, so that the job has two for a while."""
        answer = http.patch(f"{self._url()}/{job_id}", json={"options": {"limits": {"nice": turn % 4}}})
        self.notes.commands += 1
        # 400: its successor was killed; 409: a change of ours that was not answered is on its way
        assert answer.status_code in (200, 202, 400, 409, 503), answer.text

    def _delete(self, http: httpx.Client, job_id: str) -> None:
        self.notes.unsure.add(job_id)
        answer = http.delete(f"{self._url()}/{job_id}")
        self.notes.commands += 1
        if answer.status_code in (204, 404):
            self.notes.know(job_id, self.notes.absent)

    def _start(self, http: httpx.Client, job_id: str) -> None:
        answer = self._order(http, job_id, "start")
        # 400: its engine was killed
        assert answer.status_code in (200, 202, 400, 503), answer.text
        if answer.status_code == 200:
            self.notes.know(job_id, self.notes.present)

    def _stop_job(self, http: httpx.Client, job_id: str) -> None:
        answer = self._order(http, job_id, "stop?grace=1")
        assert answer.status_code in (200, 202, 503), answer.text
        if answer.status_code == 200:
            self.notes.know(job_id, self.notes.stopped)

    def _restart(self, http: httpx.Client, job_id: str) -> None:
        answer = self._order(http, job_id, "restart")
        assert answer.status_code in (200, 202, 400, 503), answer.text
        if answer.status_code == 200:
            self.notes.know(job_id, self.notes.present)

    def _order(self, http: httpx.Client, job_id: str, word: str) -> httpx.Response:
        self.notes.unsure.add(job_id)
        self.notes.commands += 1
        return http.post(f"{self._url()}/{job_id}/{word}")

    def _use(self, http: httpx.Client) -> None:
        for job_id in sorted(self.notes.present):
            url = f"http://127.0.0.1:{self._installation.flow_port}/{job_id}"
            answer = http.post(url, content=job_id.encode())
            self.notes.data_requests += 1
            # 503: its engine is being replaced; 404: another engine answered while it was
            assert answer.status_code in (404, 503) or answer.content == job_id.encode(), answer.text

    def _url(self) -> str:
        return f"http://127.0.0.1:{self._installation.port}{self._installation.base}"
