"""`?view=full`: all that is known of a job, with how its nodes stand as its engine says."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from server.wire.full_status import FullStatus
from tests.e2e.test_first_flow import ask
from tests.e2e.test_flow_ends import flow, units_in
from tests.e2e.test_stalls import waiting_flow
from tests.flow.picture.test_svg import states
from tests.installation import Installation, bad_flow, echo_flow


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    url = request.getfixturevalue("postgres").new_database() if request.param == "postgres" else None
    with Installation(tmp_path_factory.mktemp("full") / "state", url) as installation:
        installation.start()
        options = {"labels": {"team": "vision"}, "restart": {"attempts": 7}}
        created = installation.create("runs", echo_flow(installation.flow_port), options=options)
        assert created.status_code == 201
        yield installation


def full(server: Installation, job_id: str) -> dict[str, Any]:
    answer = server.http.get(f"{server.base}/{job_id}", params={"view": "full"})
    assert answer.status_code == 200, answer.text
    msgspec.json.decode(answer.content, type=FullStatus, strict=True)
    told: dict[str, Any] = answer.json()
    return told


def nodes(told: dict[str, Any]) -> dict[str, str]:
    return {node["node"]: node["state"] for node in told["nodes"]}


def picture(server: Installation, job_id: str) -> dict[str, str]:
    return states(server.http.get(f"{server.base}/{job_id}/graph", params={"format": "svg"}).text)


def test_all_that_is_known_of_what_runs(server: Installation) -> None:
    for _ in range(3):
        assert ask(server.flow_port).status_code == 200
    told = full(server, "runs")
    plain = server.status("runs").json()
    assert {name: told[name] for name in plain} == plain
    assert (told["desired"], told["actual"], told["reason"]) == ("running", "ready", "its flow is up")
    assert told["created"] < told["since"] == told["ready_since"]
    assert (told["attempt"], told["restarts"], told["version"], told["labels"]) == (1, 0, 1, {"team": "vision"})
    assert [told["engine"]["pid"]] == server.engines()["runs"]
    assert told["endpoints"] == [f"http://127.0.0.1:{server.flow_port}/example"]
    assert told["options_in_force"]["restart"]["attempts"] == 7
    assert told["options_in_force"]["restart"]["delay"] == 0.5
    assert told["options_in_force"]["stall_after"] == 60
    assert told["options_in_force"]["from_server"] == ["limits", "stall_after"]
    assert told["nodes_unknown"] is None
    reply = next(node for node in told["nodes"] if node["unit"] == "httpserver_sync_reply")
    assert (reply["buffers_in"], reply["queued"], reply["errors"]) == (3, 0, 0)
    assert told["created"] < reply["last_progress"]


def test_a_node_that_stalls_and_one_that_has_finished(server: Installation, tmp_path: Path) -> None:
    graph, go = waiting_flow(tmp_path / "units")
    server.create("stalls", graph, options={"stall_after": 0.4})
    server.wait_until("stalls", lambda status: "stalled" in status)
    told = full(server, "stalls")
    sink = next(node for node in told["nodes"] if node["node"] == "sink")
    assert (sink["state"], sink["reason"], sink["in_call"]) == ("stalled", "its unit has not returned", 1)
    assert "stalls: node 'sink'" in told["reason"]
    assert picture(server, "stalls")["sink"] == "stalled"
    go.touch()
    server.wait_for("stalls", "SUCCEEDED")
    told = full(server, "stalls")
    assert set(nodes(told).values()) == {"finished"}
    assert (told["engine"], told["since"], told["nodes_unknown"]) == (None, told["last_exit"]["at"], None)
    assert set(picture(server, "stalls").values()) == {"finished"}
    assert server.delete("stalls").status_code == 204


def test_a_flow_that_failed_by_itself(server: Installation, tmp_path: Path) -> None:
    graph = flow(units_in(tmp_path / "units"), ", code=24")
    server.create("fails", graph, options={"restart": {"policy": "never"}})
    server.wait_for("fails", "FAILED")
    told = full(server, "fails")
    assert told["reason"] == told["job_error_msg"]
    assert "the sink is full" in told["reason"]
    assert nodes(told)["sink"] == "failed"
    assert {node["buffers_in"] for node in told["nodes"]} == {None}
    assert server.delete("fails").status_code == 204


def test_a_graph_that_cannot_be_built(server: Installation) -> None:
    assert server.create("wrong", bad_flow()).status_code == 400
    told = full(server, "wrong")
    assert (told["job_status"], told["reason"]) == ("FAILED", told["job_error_msg"])
    assert list(nodes(told).values()) == ["failed"]
    assert server.delete("wrong").status_code == 204


def test_an_engine_that_does_not_answer_holds_up_nobody(server: Installation) -> None:
    (pid,) = server.engines()["runs"]
    os.kill(pid, signal.SIGSTOP)
    try:
        told = full(server, "runs")
    finally:
        os.kill(pid, signal.SIGCONT)
    assert (told["nodes"], told["nodes_unknown"]) == (None, "its engine did not answer within a second")
    assert told["job_id"] == "runs"


def test_views(server: Installation) -> None:
    plain = server.status("runs")
    for query in ("view=plain", "", "other=x"):
        assert server.http.get(f"{server.base}/runs?{query}").content == plain.content
    head = server.http.head(f"{server.base}/runs?view=full")
    assert (head.status_code, head.headers["etag"]) == (200, plain.headers["etag"])
    for query in ("view=fuller", "view=", "view=full&view=full"):
        answer = server.http.get(f"{server.base}/runs?{query}")
        assert (answer.status_code, answer.json()["detail"]) == (400, {"field": "view"}), query
    for job_id in ("nobody", ""):
        answer = server.http.get(f"{server.base}/{job_id}?view=full")
        assert (answer.status_code, answer.json()["error_code"]) == (404, "MODELBOX_002")
