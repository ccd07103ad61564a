"""Hypothesis drives create, delete, status, list and restart against a simple model of what should be there."""

import tempfile
import time
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tests.e2e.test_first_flow import ask
from tests.installation import Installation, bad_flow, echo_flow
from tests.postgres import Postgres

IDS = st.sampled_from(["aa", "bb", "cc", "dd"])


class JobServer(RuleBasedStateMachine):
    """On SQLite; `new_database` makes the difference."""

    def new_database(self) -> str | None:
        return None

    @initialize()
    def start(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.server = Installation(Path(self.folder.name) / "state", self.new_database()).start()
        self.model: dict[str, str] = {}

    @rule(job_id=IDS)
    def create(self, job_id: str) -> None:
        answer = self.server.create(job_id, echo_flow(self.server.flow_port, f"/{job_id}"))
        if job_id in self.model:
            assert answer.json()["error_code"] == "MODELBOX_005"
        else:
            assert answer.status_code == 201, answer.text
            self.model[job_id] = "RUNNING"

    @rule(job_id=IDS)
    def create_bad(self, job_id: str) -> None:
        answer = self.server.create(job_id, bad_flow())
        expected = "MODELBOX_005" if job_id in self.model else "MODELBOX_008"
        assert answer.json()["error_code"] == expected
        self.model.setdefault(job_id, "FAILED")

    @rule(job_id=IDS)
    def delete(self, job_id: str) -> None:
        expected = 204 if self.model.pop(job_id, None) else 404
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
