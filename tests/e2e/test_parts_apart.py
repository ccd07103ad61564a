"""The API and the runner, each started by itself."""

import signal
import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.e2e.test_first_flow import ask
from tests.installation import Installation, echo_flow, free_port
from tests.parts import Parts


@pytest.fixture
def parts(installation: Installation) -> Iterator[Parts]:
    parts = Parts(installation)
    yield parts
    parts.end()


def put(api: httpx.Client, job_id: str, port: int, **headers: str) -> httpx.Response:
    return api.put("", json={"job_id": job_id, "job_graph": echo_flow(port)}, headers=headers)


def test_two_apis_and_a_runner(parts: Parts) -> None:
    parts.start("runner")
    port = free_port()
    one, two = parts.api(), parts.api()
    assert put(one, "shared", port).status_code == 201
    # what one API was told, the other knows at once
    assert two.get("/shared").json()["job_status"] == "RUNNING"
    assert put(two, "shared", port).json()["error_code"] == "MODELBOX_005"
    assert ask(port).content == b"hello"
    assert two.delete("/shared").status_code == 204
    assert one.get("/shared").status_code == 404


def test_an_api_without_a_runner_accepts_and_says_pending(parts: Parts) -> None:
    port = free_port()
    api = parts.api()
    assert put(api, "early", port, Prefer="respond-async").status_code == 202
    assert api.get("/early").json()["job_status"] == "PENDING"
    parts.start("runner")
    until(lambda: api.get("/early").json()["job_status"] == "RUNNING")
    assert ask(port).content == b"hello"


def test_commands_answer_in_time_when_nobody_runs_jobs(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELBOX_JOBS_CREATE_WAIT", "0.5")
    monkeypatch.setenv("MODELBOX_JOBS_DELETE_WAIT", "0.5")
    api = parts.api()
    assert put(api, "waits", free_port()).status_code == 201
    assert api.get("/waits").json()["job_status"] == "PENDING"
    # that it is gone is not true yet, so it is not said: the deletion is on record and will be done
    deleting = api.delete("/waits")
    assert (deleting.status_code, deleting.json()["job_status"]) == (202, "DELETEING")
    runner = parts.start("runner")
    until(lambda: api.get("/waits").status_code == 404)
    runner.send_signal(signal.SIGTERM)
    assert runner.wait(20) == 0


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)
