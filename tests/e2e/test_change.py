"""A job that runs is given another graph or other options, and its clients notice nothing but the new version."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.flow.unitapi.folders import chain, write_unit
from tests.hammer import hammering
from tests.installation import Installation, bad_flow, echo_flow, free_port

SAYS = """
    import _flowunit as modelbox
    import time

    class Unit(modelbox.FlowUnit):
        def open(self, config):
            self.word = config.get_string("word", "")
            time.sleep(float(config.get_string("opens_for", "0")))
            if self.word == "wrong":
                return modelbox.Status(modelbox.Status.StatusCode.STATUS_BADCONF, "a wrong word")
            return modelbox.Status.StatusCode.STATUS_SUCCESS

        def process(self, data_context):
            for buffer in data_context.input("in_1"):
                data_context.output("out_1").push_back(modelbox.Buffer(self.get_bind_device(), self.word))
            return modelbox.Status.StatusCode.STATUS_SUCCESS
"""
PATH = "/v1/x"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with Installation(tmp_path_factory.mktemp("change") / "state") as server:
        yield server.start()


@pytest.fixture(scope="module")
def units(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_unit(tmp_path_factory.mktemp("units") / "says", "says", SAYS).parent


def said(port: int, path: str = PATH) -> str:
    return httpx.post(f"http://127.0.0.1:{port}{path}", content=b"x", trust_env=False).text


def types(server: Installation, job_id: str) -> list[str]:
    return [entry["type"] for entry in server.http.get(f"{server.base}/{job_id}/history").json()["events"]]


def pid_of(server: Installation, job_id: str) -> int:
    (pid,) = server.engines()[job_id]
    return pid


def wait_for_one_engine(server: Installation, job_id: str) -> None:
    deadline = time.monotonic() + 10
    while len(server.engines().get(job_id, ())) != 1:
        assert time.monotonic() < deadline, server.output()
        time.sleep(0.02)


def test_twenty_changes_and_no_request_is_refused_or_lost(server: Installation, units: Path) -> None:
    port = free_port()
    assert server.create("busy", chain(port, units, "says", word="1")).status_code == 201
    with hammering(port, PATH) as hammer:
        for version in range(2, 22):
            changed = server.change("busy", job_graph=chain(port, units, "says", word=str(version)))
            assert changed.status_code == 200, changed.text
            assert changed.json()["version"] == version
            assert said(port) == str(version), "who has the answer talks to the new version"
    assert hammer.wrong == []
    assert {b"1", b"21"} <= set(hammer.answers)
    assert server.delete("busy").status_code == 204


def test_what_does_not_get_ready_changes_nothing(server: Installation, units: Path) -> None:
    port, taken = free_port(), free_port()
    server.create("holder", echo_flow(taken, "/example"))
    server.create("safe", chain(port, units, "says", word="good"))
    before = pid_of(server, "safe")
    for graph, reason in (
        (bad_flow(), "no_such_unit"),
        (chain(port, units, "says", word="wrong"), "a wrong word"),
        (echo_flow(taken, "/example"), "already served by job holder"),
    ):
        refused = server.change("safe", job_graph=graph)
        assert refused.status_code == 400
        assert refused.json()["error_code"] == "MODELBOX_008"
        assert reason in refused.json()["error_msg"]
        assert said(port) == "good"
    assert pid_of(server, "safe") == before
    status = server.status("safe").json()
    assert (status["job_status"], status["version"]) == ("RUNNING", 1)
    assert status["failed_change"]["version"] == 4
    assert "already served by job holder" in status["failed_change"]["message"]
    assert types(server, "safe")[-3:] == ["change-requested", "successor-started", "change-failed"]
    changed = server.change("safe", job_graph=chain(port, units, "says", word="better"))
    assert (changed.status_code, changed.json()["version"]) == (200, 5)
    assert "failed_change" not in changed.json()
    assert said(port) == "better"


def test_a_port_that_is_not_used_any_more_is_closed(server: Installation) -> None:
    old, new = free_port(), free_port()
    server.create("moves", echo_flow(old, "/example"))
    assert server.change("moves", job_graph=echo_flow(new, "/example")).status_code == 200
    assert said(new, "/example") == "x"
    wait_for_one_engine(server, "moves")
    deadline = time.monotonic() + 5
    while _accepts(old):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _accepts(port: int) -> bool:
    try:
        httpx.get(f"http://127.0.0.1:{port}/health", trust_env=False, timeout=1)
    except httpx.ConnectError:
        return False
    except httpx.TransportError:
        pass
    return True


def test_options_are_merged_and_an_engine_is_started_only_for_what_it_would_not_notice(
    server: Installation,
) -> None:
    server.create("tuned", echo_flow(server.flow_port, "/tuned"), options={"restart": {"attempts": 7}})
    before = pid_of(server, "tuned")
    assert server.change("tuned", options={"restart": {"delay": 2}}).json()["version"] == 2
    assert pid_of(server, "tuned") == before
    row = server.http.get("/v1/modelbox/jobs", params={"fields": "options", "text": "tuned"}).json()["jobs"][0]
    assert (row["options"]["restart"]["attempts"], row["options"]["restart"]["delay"]) == (7, 2)
    assert server.change("tuned", options={"limits": {"open_files": 512}}).json()["version"] == 3
    wait_for_one_engine(server, "tuned")
    assert pid_of(server, "tuned") != before
    assert server.change("tuned", options={"restart": None}).json()["version"] == 4


def test_what_is_equal_changes_nothing(server: Installation) -> None:
    graph = echo_flow(server.flow_port, "/same")
    server.create("same", graph)
    events = types(server, "same")
    answer = server.change("same", job_graph=graph, options={"limits": None})
    assert answer.status_code == 200
    assert answer.content == server.status("same").content
    assert types(server, "same") == events


def test_a_job_that_failed_is_tried_with_its_new_version(server: Installation) -> None:
    assert server.create("mended", bad_flow()).status_code == 400
    still = server.change("mended", job_graph=bad_flow() | {"driver": {}})
    assert still.status_code == 400
    assert "no_such_unit" in still.json()["error_msg"]
    assert server.word("mended") == "FAILED"
    mended = server.change("mended", job_graph=echo_flow(server.flow_port, "/mended"))
    assert mended.json()["job_status"] == "RUNNING"
    assert said(server.flow_port, "/mended") == "x"


def test_one_change_at_a_time_and_a_delete_ends_it(server: Installation, units: Path) -> None:
    port = free_port()
    server.create("slow", chain(port, units, "says", word="1"))
    graph = chain(port, units, "says", word="2", opens_for="3")
    later = server.http.patch(
        f"{server.base}/slow", json={"job_graph": graph}, headers={"Prefer": "respond-async"}
    )
    assert later.status_code == 202
    assert (later.json()["version"], later.json()["change"]["version"]) == (1, 2)
    second = server.change("slow", job_graph=echo_flow(port))
    assert second.status_code == 409
    assert second.json()["error_code"] == "MODELBOX_012"
    assert said(port) == "1"
    assert server.delete("slow").status_code == 204
    assert "slow" not in server.engines()
    assert server.create("slow", chain(port, units, "says", word="anew")).status_code == 201
    assert said(port) == "anew"


def test_the_engine_before_crashes_while_its_successor_starts(server: Installation, units: Path) -> None:
    port = free_port()
    server.create("crashes", chain(port, units, "says", word="1"))
    graph = chain(port, units, "says", word="2", opens_for="1")
    headers = {"Prefer": "respond-async"}
    server.http.patch(f"{server.base}/crashes", json={"job_graph": graph}, headers=headers)
    _kill(server.engines()["crashes"][0])
    server.wait_until("crashes", lambda status: status.get("version") == 2 and status["job_status"] == "RUNNING")
    assert said(port) == "2"


def _kill(pid: int) -> None:

    os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"job_graphs": {}}, 400, "job_graphs cannot be changed"),
        ({"job_id": "other"}, 400, "cannot be changed"),
        ({"job_graph": None}, 400, "a job always has one"),
        ({"job_graph_format": "toml"}, 400, "which is missing"),
        ({"job_graph_format": "xml", "job_graph": "x"}, 400, "Unsupport graph format"),
        ({"options": 5}, 400, "options must be an object"),
        ({"options": {"restart": {"delay": "long"}}}, 400, "options.restart.delay"),
        ({"options": {"limits": {"memory": 5}}}, 400, "at least"),
        ([], 400, "must be an object"),
    ],
)
def test_a_body_that_is_wrong_changes_nothing(server: Installation, body: Any, status: int, words: str) -> None:
    if server.status("there").status_code == 404:
        server.create("there", echo_flow(server.flow_port, "/there"))
    answer = server.http.patch(f"{server.base}/there", json=body)
    assert (answer.status_code, words in answer.text) == (status, True), answer.text
    assert "version" not in server.status("there").json()


def test_a_job_that_is_not_there(server: Installation) -> None:
    assert server.change("nobody", options={}).status_code == 404
    assert server.http.patch(f"{server.base}/a/b/c", json={}).status_code == 404
