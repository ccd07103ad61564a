"""Stop, start, restart and delete, over a real socket."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from server.failpoints import VARIABLE, Action, Failpoint, arm, has_fired
from tests.e2e.test_first_flow import ask
from tests.installation import Installation, bad_flow, echo_flow, free_port


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """One for the tests that leave it as it was."""
    url = request.getfixturevalue("postgres").new_database() if request.param == "postgres" else None
    with Installation(tmp_path_factory.mktemp("orders") / "state", url) as installation:
        yield installation.start()


def order(installation: Installation, job_id: str, word: str, **headers: str) -> httpx.Response:
    return installation.http.post(f"{installation.base}/{job_id}/{word}", headers=headers)


def status(installation: Installation, job_id: str) -> dict[str, Any]:
    answer: dict[str, Any] = installation.status(job_id).json()
    return answer


def kinds(installation: Installation, job_id: str) -> list[str]:
    entries = installation.http.get(f"{installation.base}/{job_id}/history?limit=1000").json()["events"]
    return sorted(entry["type"] for entry in entries)


def is_listened_on(port: int) -> bool:
    try:
        ask(port)
    except httpx.ConnectError:
        return False
    return True


def test_a_job_is_stopped_and_started(server: Installation) -> None:
    port = free_port()
    assert server.create("on-off", echo_flow(port)).status_code == 201
    stopped = order(server, "on-off", "stop")
    assert (stopped.status_code, stopped.json()["job_status"]) == (200, "PENDING"), stopped.text
    assert stopped.json()["desired"] == "stopped"
    assert "on-off" not in server.engines()
    assert not is_listened_on(port)
    before = len(kinds(server, "on-off"))
    assert order(server, "on-off", "stop").json() == stopped.json()
    assert len(kinds(server, "on-off")) == before
    started = order(server, "on-off", "start")
    assert (started.status_code, started.json()["job_status"]) == (200, "RUNNING"), started.text
    assert "desired" not in started.json()
    assert ask(port).content == b"hello"
    before = len(kinds(server, "on-off"))
    assert order(server, "on-off", "start").json() == started.json()
    assert len(kinds(server, "on-off")) == before
    assert server.delete("on-off").status_code == 204


def test_a_running_job_gets_another_engine_and_refuses_nobody(server: Installation) -> None:
    port = free_port()
    assert server.create("again", echo_flow(port)).status_code == 201
    (pid,) = server.engines()["again"]
    answer = order(server, "again", "restart")
    assert (answer.status_code, answer.json()["job_status"]) == (200, "RUNNING"), answer.text
    assert server.engines()["again"] != [pid]
    assert ask(port).content == b"hello"
    assert kinds(server, "again").count("engine-started") == 2
    assert server.delete("again").status_code == 204


def test_a_failed_job_is_tried_again(server: Installation) -> None:
    port = free_port()
    taken = echo_flow(port)
    assert server.create("has-it", taken).status_code == 201
    assert server.create("wants-it", taken).status_code == 400
    assert status(server, "wants-it")["job_status"] == "FAILED"
    for word in ("restart", "restart?only_failed=true", "start"):
        refused = order(server, "wants-it", word)
        assert (refused.status_code, refused.json()["error_code"]) == (400, "MODELBOX_008"), refused.text
    assert server.delete("has-it").status_code == 204
    assert order(server, "wants-it", "restart?only_failed=true").json()["job_status"] == "RUNNING"
    (pid,) = server.engines()["wants-it"]
    assert order(server, "wants-it", "restart?only_failed=true").status_code == 200
    assert server.engines()["wants-it"] == [pid]
    assert ask(port).content == b"hello"
    assert server.delete("wants-it").status_code == 204


def test_a_failed_job_is_not_stopped(server: Installation) -> None:
    assert server.create("bad", bad_flow()).status_code == 400
    answer = order(server, "bad", "stop")
    assert (answer.status_code, answer.json()["job_status"]) == (200, "FAILED")
    assert "desired" not in answer.json()
    assert server.delete("bad").status_code == 204


def test_a_job_that_waits_for_its_next_attempt(server: Installation) -> None:
    options = {"restart": {"policy": "always", "delay": 3600, "delay_max": 3600}}
    port = free_port()
    assert server.create("waits", echo_flow(port), options=options).status_code == 201
    (pid,) = server.engines()["waits"]
    os.kill(pid, signal.SIGKILL)
    server.wait_until("waits", lambda now: bool(now.get("next_retry")))
    stopped = order(server, "waits", "stop").json()
    assert (stopped["job_status"], stopped["next_retry"]) == ("PENDING", None)
    assert not is_listened_on(port)
    assert order(server, "waits", "start").json()["job_status"] == "RUNNING"
    (pid,) = server.engines()["waits"]
    os.kill(pid, signal.SIGKILL)
    server.wait_until("waits", lambda now: bool(now.get("next_retry")))
    assert order(server, "waits", "start").json()["job_status"] == "RUNNING"
    assert ask(port).content == b"hello"
    assert server.delete("waits").status_code == 204


def test_created_stopped(server: Installation) -> None:
    port = free_port()
    created = server.create("later", echo_flow(port), options={"initial_state": "stopped"})
    assert created.status_code == 201, created.text
    assert status(server, "later")["job_status"] == "PENDING"
    assert status(server, "later")["desired"] == "stopped"
    assert "later" not in server.engines()
    assert order(server, "later", "restart").json()["job_status"] == "RUNNING"
    assert ask(port).content == b"hello"
    assert server.delete("later").status_code == 204


def test_it_is_answered_at_once_when_asked_so(server: Installation) -> None:
    assert server.create("async", echo_flow(free_port())).status_code == 201
    answer = order(server, "async", "restart", prefer="respond-async")
    assert answer.status_code == 202
    server.wait_until("async", lambda now: now["job_status"] == "RUNNING" and now.get("attempt") == 2)
    assert server.delete("async").status_code == 204


@pytest.mark.parametrize(
    ("path", "code", "error"),
    [
        ("nobody/stop", 404, "MODELBOX_002"),
        ("nobody/start", 404, "MODELBOX_002"),
        ("nobody/restart", 404, "MODELBOX_002"),
        ("nobody/stop?grace=soon", 400, "MODELBOX_006"),
        ("nobody/stop?grace=-1", 400, "MODELBOX_006"),
        ("nobody/restart?only_failed=perhaps", 400, "MODELBOX_006"),
        ("nobody/restart?only=1", 400, "MODELBOX_006"),
    ],
)
def test_what_is_refused(server: Installation, path: str, code: int, error: str) -> None:
    answer = server.http.post(f"{server.base}/{path}")
    assert (answer.status_code, answer.json()["error_code"]) == (code, error), answer.text


def test_other_words_behind_an_id_are_ignored_as_modelbox_does(server: Installation) -> None:
    body = {"job_id": "odd-path", "job_graph": echo_flow(free_port())}
    assert server.http.post(f"{server.base}/any/thing", json=body).status_code == 201
    assert server.http.put(f"{server.base}/any/stop", json=body).json()["error_code"] == "MODELBOX_005"
    assert server.delete("odd-path").status_code == 204


def test_a_delete_takes_a_grace_and_force(server: Installation, tmp_path: Path) -> None:
    assert server.http.delete(f"{server.base}/nobody?grace=soon").status_code == 400
    assert server.create("patient", echo_flow(free_port())).status_code == 201
    (pid,) = server.engines()["patient"]
    os.kill(pid, signal.SIGSTOP)  # so it does not end before its grace is over
    asked = server.http.delete(f"{server.base}/patient?grace=3600", headers={"Prefer": "respond-async"})
    assert (asked.status_code, asked.json()["job_status"]) == (202, "DELETEING")
    assert order(server, "patient", "start").json()["error_code"] == "MODELBOX_002"
    time.sleep(0.2)
    assert "patient" in server.engines()
    assert server.http.delete(f"{server.base}/patient?force=true").status_code == 204
    assert "patient" not in server.engines()


def test_orders_outlast_the_server(installation: Installation) -> None:
    installation.start()
    for job_id in ("stopped", "restarted", "started"):
        assert installation.create(job_id, echo_flow(free_port())).status_code == 201
    assert order(installation, "started", "stop").status_code == 200
    before = installation.engines()
    for pid, title in installation.processes().items():
        if title.split()[1] == "runner":
            os.kill(pid, signal.SIGSTOP)  # the orders are on record, and nobody is there to carry them out
    for job_id, word in (("stopped", "stop"), ("restarted", "restart"), ("started", "start")):
        assert order(installation, job_id, word, prefer="respond-async").status_code == 202
    installation.kill_server()
    assert installation.engines() == before
    installation.start()
    installation.wait_for("stopped", "PENDING")
    installation.wait_until("restarted", lambda now: (now["job_status"], now.get("attempt")) == ("RUNNING", 2))
    installation.wait_for("started", "RUNNING")
    after = installation.engines()
    assert after.keys() == {"restarted", "started"}
    assert after["restarted"] != before["restarted"]
    assert kinds(installation, "restarted").count("engine-started") == 2
    installation.kill_everything()
    installation.start()
    installation.wait_for("started", "RUNNING")
    assert installation.word("stopped") == "PENDING"
    assert "stopped" not in installation.engines()


@pytest.mark.parametrize("orders", [(), ("stop", "start")])
def test_a_job_that_is_changed_while_its_engine_is_being_started(
    installation: Installation, tmp_path: Path, orders: tuple[str, ...]
) -> None:
    """That engine was given the graph from before."""
    failpoints = tmp_path / "failpoints"
    failpoints.mkdir()
    installation.environ[VARIABLE] = str(failpoints)
    installation.start()
    before, after = free_port(), free_port()
    arm(failpoints, Failpoint.RUNNER_BEFORE_START, Action.DELAY, "runner")
    at_once = {"Prefer": "respond-async"}
    body = {"job_id": "hasty", "job_graph": echo_flow(before)}
    assert installation.http.put(installation.base, json=body, headers=at_once).status_code == 202
    while not has_fired(failpoints, Failpoint.RUNNER_BEFORE_START):
        time.sleep(0.01)
    for word in orders[:1]:
        assert order(installation, "hasty", word, prefer="respond-async").is_success
    changed = installation.http.patch(f"{installation.base}/hasty", json={"job_graph": echo_flow(after)})
    assert changed.status_code == 200, changed.text
    for word in orders[1:]:
        assert order(installation, "hasty", word).json()["job_status"] == "RUNNING"
    assert ask(after).content == b"hello"
    assert not is_listened_on(before)
    assert kinds(installation, "hasty").count("change-applied") == 1
