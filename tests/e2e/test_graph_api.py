"""`GET /job/ID/graph`: the graph as sent, as plan, as DOT, as a picture with the states of its nodes."""

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from server.flow.graph.dot_graph import read_dot
from server.flow.plan import plan_from_json
from tests.flow.picture.test_svg import states, texts
from tests.installation import Installation, bad_flow, echo_flow

SOME_TOML = "[graph]\nformat = 'graphviz'  # kept\ngraphconf = 'digraph g { a[flowunit=no_such, device=cpu] '\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with Installation(tmp_path_factory.mktemp("graph") / "state") as installation:
        installation.start()
        assert installation.create("runs", echo_flow(installation.flow_port)).status_code == 201
        assert installation.create("wrong", bad_flow()).status_code == 400
        body: dict[str, Any] = {"job_id": "broken", "job_graph": SOME_TOML}
        assert installation.http.put(installation.base, json=body).status_code == 400
        yield installation


def graph(server: Installation, job_id: str, form: str) -> httpx.Response:
    return server.http.get(f"{server.base}/{job_id}/graph", params={"format": form})


def test_the_source_is_what_was_sent(server: Installation) -> None:
    answer = server.http.get(f"{server.base}/runs/graph")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == echo_flow(server.flow_port)
    as_toml = graph(server, "broken", "source")
    assert as_toml.headers["content-type"] == "application/toml; charset=utf-8"
    assert as_toml.text == SOME_TOML


def test_the_plan_of_what_runs(server: Installation) -> None:
    answer = graph(server, "runs", "plan")
    assert answer.headers["content-type"] == "application/json"
    plan = plan_from_json(answer.text)
    assert plan is not None
    assert [node.name for node in plan.nodes] == ["httpserver_sync_receive", "httpserver_sync_reply"]


def test_the_dot_of_what_runs_and_of_what_cannot(server: Installation) -> None:
    answer = graph(server, "runs", "dot")
    assert answer.headers["content-type"] == "text/vnd.graphviz; charset=utf-8"
    assert set(read_dot(answer.text).nodes) == {"httpserver_sync_receive", "httpserver_sync_reply"}
    assert graph(server, "wrong", "dot").text == bad_flow()["graph"]["graphconf"] + "\n"


def test_the_picture_of_what_runs(server: Installation) -> None:
    answer = graph(server, "runs", "svg")
    assert answer.headers["content-type"] == "image/svg+xml; charset=utf-8"
    assert "style-src 'sha256-" in answer.headers["content-security-policy"]
    assert texts(answer.text)[0] == "runs  RUNNING"
    assert set(states(answer.text).values()) == {"ok"}
    assert graph(server, "runs", "svg").content == answer.content


def test_the_picture_of_a_wrong_graph_shows_all_that_is_wrong(server: Installation) -> None:
    answer = graph(server, "wrong", "svg")
    assert answer.status_code == 200
    assert texts(answer.text)[0] == "wrong  FAILED"
    assert states(answer.text) == {"a": "error", "b": "error"}
    assert "no_such_unit" in "".join(ET.fromstring(answer.text).itertext())


@pytest.mark.parametrize(("job_id", "form"), [("wrong", "plan"), ("broken", "svg"), ("broken", "dot")])
def test_what_cannot_be_had_of_a_wrong_graph_is_a_400_that_says_why(
    server: Installation, job_id: str, form: str
) -> None:
    answer = graph(server, job_id, form)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "MODELBOX_008")
    assert answer.json()["detail"]["field"] == "job_graph"
    assert answer.json()["error_msg"] == server.status(job_id).json()["job_error_msg"].join(
        ("request invalid, job config is invalid, ", "")
    )


def test_errors(server: Installation) -> None:
    assert graph(server, "nobody", "svg").status_code == 404
    unknown = graph(server, "runs", "png")
    assert (unknown.status_code, unknown.json()["detail"]) == (400, {"field": "format"})
    assert server.http.get(f"{server.base}/runs/graph/svg").status_code == 400


@pytest.mark.parametrize("text", ["{", ""])
def test_a_graph_that_is_no_json_is_not_said_to_be(server: Installation, text: str) -> None:
    job_id = f"no-json-{len(text)}"
    created = server.create(job_id, text, job_graph_format="json")  # type: ignore[arg-type]
    assert created.status_code == 400, created.text
    answer = server.http.get(f"{server.base}/{job_id}/graph")
    assert (answer.status_code, answer.text) == (200, text)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
