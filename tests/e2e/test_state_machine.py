"""Hypothesis drives create, stop, start, restart, delete, status, list, policies, crashes, kills and restarts
of the server against a simple model of what should be there."""

import os
import signal
import tempfile
import time
from pathlib import Path

import httpx
import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tests.chaos.monkey import part_of
from tests.e2e.test_first_flow import ask
from tests.e2e.test_flow_ends import flow, units_in
from tests.history import Row, read_history
from tests.installation import Installation, bad_flow, echo_flow
from tests.postgres import Postgres

IDS = st.sampled_from(["aa", "bb", "cc", "dd"])
POLICIES = st.sampled_from(["never", "on-failure", "always"])


class JobServer(RuleBasedStateMachine):
    """On SQLite; `new_database` makes the difference."""

    def new_database(self) -> str | None:
        return None

    @initialize()
    def start(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.server = Installation(Path(self.folder.name) / "state", self.new_database()).start()
        self.units = units_in(Path(self.folder.name) / "units")
        self.model: dict[str, str] = {}
        self.policies: dict[str, str] = {}  # of those whose flow is good

    @rule(job_id=IDS, policy=POLICIES)
    def create(self, job_id: str, policy: str) -> None:
        options = {"restart": {"policy": policy, "delay": 0, "delay_max": 0}}
        answer = self.server.create(job_id, echo_flow(self.server.flow_port, f"/{job_id}"), options=options)
        if job_id in self.model:
            assert answer.json()["error_code"] == "MODELBOX_005"
        else:
            assert answer.status_code == 201, answer.text
            self.model[job_id] = "RUNNING"
            self.policies[job_id] = policy

    @rule(job_id=IDS, attempts=st.integers(1, 2))
    def create_what_crashes(self, job_id: str, attempts: int) -> None:
        if job_id in self.model:
            return
        options = {"restart": {"attempts": attempts, "delay": 0}}
        answer = self.server.create(job_id, flow(self.units, ", crashes=true"), options=options)
        assert answer.status_code in (201, 400), answer.text
        self.server.wait_for(job_id, "FAILED")
        status = self.server.status(job_id).json()
        assert (status["attempt"], status["last_exit"]["signal"]) == (attempts + 1, signal.SIGABRT)
        self.model[job_id] = "FAILED"

    @rule(job_id=IDS, times=st.sampled_from([1, 1, 2, 11]))
    def crash(self, job_id: str, times: int) -> None:
        """kill -9 of its engine, perhaps so often that the log does not have each time."""
        for _ in range(times if self.model.get(job_id) == "RUNNING" else 0):
            attempt = self.server.status(job_id).json().get("attempt", 1)
            (pid,) = self.server.engines()[job_id]
            os.kill(pid, signal.SIGKILL)
            if self.policies[job_id] == "never":
                self.model[job_id] = "FAILED"
                self.server.wait_for(job_id, "FAILED")
                break
            self.server.wait_until(
                job_id,
                lambda status, n=attempt: status["job_status"] == "RUNNING" and status.get("attempt", 1) > n,
            )
            assert self.server.status(job_id).json()["last_exit"]["signal"] == signal.SIGKILL

    @rule(job_id=IDS)
    def create_bad(self, job_id: str) -> None:
        answer = self.server.create(job_id, bad_flow())
        expected = "MODELBOX_005" if job_id in self.model else "MODELBOX_008"
        assert answer.json()["error_code"] == expected
        self.model.setdefault(job_id, "FAILED")

    @rule(job_id=IDS, grace=st.sampled_from(["", "?grace=1", "?force=true"]))
    def stop_job(self, job_id: str, grace: str) -> None:
        answer = self.order(job_id, f"stop{grace}")
        if job_id in self.model:
            assert answer.status_code == 200, answer.text
            self.model[job_id] = "FAILED" if self.model[job_id] == "FAILED" else "PENDING"

    @rule(job_id=IDS)
    def start_job(self, job_id: str) -> None:
        before = self.server.engines().get(job_id)
        self.order(job_id, "start")
        self.is_up_if_it_can_be(job_id)
        assert before is None or self.server.engines()[job_id] == before

    @rule(job_id=IDS, only_failed=st.booleans())
    def restart_job(self, job_id: str, only_failed: bool) -> None:
        before = self.server.engines().get(job_id)
        stays = only_failed and self.model.get(job_id) != "FAILED"
        self.order(job_id, f"restart?only_failed={str(only_failed).lower()}")
        if stays:
            assert self.server.engines().get(job_id) == before
        else:
            self.is_up_if_it_can_be(job_id)
            assert before is None or self.server.engines()[job_id] != before

    def order(self, job_id: str, word: str) -> httpx.Response:
        answer = self.server.http.post(f"{self.server.base}/{job_id}/{word}")
        assert (answer.status_code == 404) == (job_id not in self.model), answer.text
        return answer

    def is_up_if_it_can_be(self, job_id: str) -> None:
        if job_id in self.model:
            self.model[job_id] = "RUNNING" if job_id in self.policies else "FAILED"
            self.server.wait_for(job_id, self.model[job_id])

    @rule(job_id=IDS)
    def delete(self, job_id: str) -> None:
        expected = 204 if self.model.pop(job_id, None) else 404
        self.policies.pop(job_id, None)
        assert self.server.delete(job_id).status_code == expected

    @rule(job_id=IDS)
    def status(self, job_id: str) -> None:
        assert self.server.word(job_id) == self.model.get(job_id, "NOTEXIST")

    @rule(job_id=IDS)
    def use(self, job_id: str) -> None:
        if self.model.get(job_id) == "RUNNING":
            assert ask(self.server.flow_port, f"/{job_id}").content == b"hello"

    @rule()
    def restart_the_server(self) -> None:
        engines = self.server.engines()
        self.server.stop()
        self.server.start()
        assert self.server.engines() == engines

    @rule()
    def kill_the_server(self) -> None:
        engines = self.server.engines()
        self.server.kill_server()
        self.server.start()
        assert self.server.engines() == engines

    @rule(part=st.sampled_from(["runner", "api", "host"]))
    def kill_a_part(self, part: str) -> None:
        engines, elections = self.server.engines(), len(self.elections())
        for pid, title in self.server.processes().items():
            if part_of(title) == part:
                os.kill(pid, signal.SIGKILL)
        if part == "runner":
            deadline = time.monotonic() + 20
            while not self.all_adopted(elections):
                assert time.monotonic() < deadline, self.server.output()
                time.sleep(0.02)
        self.server.wait_until_serving()
        assert self.server.engines() == engines

    def history(self) -> list[Row]:
        return read_history(self.server.database_url or self.server.state_dir / "modelbox.db")

    def elections(self) -> list[int]:
        return [row.position for row in self.history() if row.type == "leader-elected"]

    def all_adopted(self, before: int) -> bool:
        """Whether there is a new leader, after so many, and it has taken over what runs."""
        elections = self.elections()
        if len(elections) == before:
            return False
        adopted = {row.job_id for row in self.history()[elections[-1] :] if row.type == "engine-adopted"}
        return adopted == {job_id for job_id, word in self.model.items() if word == "RUNNING"}

    @rule()
    def stop_all(self) -> None:
        """Ctrl-C ends the engines too; the jobs are back with the next server."""
        self.server.stop(signal.SIGINT)
        assert self.server.engines() == {}
        self.server.start()
        for job_id, word in self.model.items():
            self.server.wait_for(job_id, word)

    @rule()
    def kill_everything(self) -> None:
        self.server.kill_everything()
        self.server.start()
        for job_id, word in self.model.items():
            self.server.wait_for(job_id, word)

    @invariant()
    def the_list_is_the_model(self) -> None:
        if hasattr(self, "model"):
            listed = {job_id: job["job_status"] for job_id, job in self.server.list_all().items()}
            assert listed == self.model
            running = {job_id for job_id, word in self.model.items() if word == "RUNNING"}
            # the engine of a create that was just refused may be on its way out
            deadline = time.monotonic() + 5
            while set(engines := self.server.engines()) != running:
                assert time.monotonic() < deadline, f"{engines}, but {running} should run"
                time.sleep(0.02)
            assert all(len(pids) == 1 for pids in engines.values())

    def teardown(self) -> None:
        if hasattr(self, "server"):
            assert self.server.run("db", "verify").returncode == 0
            self.server.__exit__()
            self.folder.cleanup()


SETTINGS = settings(
    max_examples=4,
    stateful_step_count=15,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


def test_the_server_does_as_the_model_says_on_sqlite() -> None:
    run_state_machine_as_test(JobServer, settings=SETTINGS)


def test_the_server_does_as_the_model_says_on_postgres(postgres: Postgres) -> None:
    class JobServerOnPostgres(JobServer):
        def new_database(self) -> str | None:
            return postgres.new_database()

    run_state_machine_as_test(JobServerOnPostgres, settings=SETTINGS)
