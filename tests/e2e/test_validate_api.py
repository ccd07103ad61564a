"""`POST /job/validate` and `dry_run`: everything that is wrong, said before anything is done."""

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.installation import Installation, bad_flow, echo_flow

NO_UNIT = "digraph g { a[flowunit=no_such, device=cpu]; b[flowunit=nor_this, device=cpu] }"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with Installation(tmp_path_factory.mktemp("validate") / "state") as installation:
        installation.environ = {"MODELBOX_JOBS_EXAMINE_WAIT": "4", "MODELBOX_JOBS_MAX": "2"}
        yield installation.start()


def toml(dot: str, more: str = "") -> str:
    return f"[graph]\nformat = 'graphviz'\ngraphconf = '''\n{dot}\n'''\n{more}"


def validated(server: Installation, graph: Any, **more: Any) -> dict[str, Any]:
    answer = server.http.post(f"{server.base}/validate", json={"job_graph": graph, **more})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_a_right_graph_is_valid_and_nothing_is_changed(server: Installation) -> None:
    before = server.http.get("/v1/modelbox/events").json()["head"]
    body = validated(server, echo_flow(server.flow_port), job_id="new", options={"restart": {"policy": "never"}})
    assert body == {"valid": True, "problems": [], "warnings": [], "nodes": 2, "edges": 1}
    assert server.http.get("/v1/modelbox/events").json()["head"] == before
    assert server.status("new").status_code == 404


def test_all_problems_are_told_at_once_with_their_places(server: Installation) -> None:
    body = validated(server, toml(NO_UNIT.replace("; ", "\n")), job_id="a b", options={"restart": 3})
    assert body["valid"] is False
    told = [(one["error_code"], one["field"], one.get("node"), one.get("source_line")) for one in body["problems"]]
    assert told == [
        ("MODELBOX_007", "job_id", None, None),
        ("MODELBOX_006", "options.restart", None, None),
        ("MODELBOX_008", "job_graph", "a", 4),
        ("MODELBOX_008", "job_graph", "b", 5),
    ]


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"job_graph": None}, "MODELBOX_001", "job_graph"),
        ({"job_graph": 3}, "MODELBOX_001", "job_graph"),
        ({}, "MODELBOX_004", "job_graph"),
        ({"job_graph": "x", "job_graph_format": "yaml"}, "MODELBOX_006", "job_graph"),
        ({"job_graph": "not toml"}, "MODELBOX_008", "job_graph"),
        ({"job_graph": "{", "job_graph_format": "json"}, "MODELBOX_008", "job_graph"),
        ({"job_graph": toml("digraph {")}, "MODELBOX_008", "job_graph"),
    ],
)
def test_each_error_of_a_create_is_a_problem(
    server: Installation, fields: dict[str, Any], code: str, field: str
) -> None:
    answer = server.http.post(f"{server.base}/validate", json=fields)
    assert answer.status_code == 200
    assert [(one["error_code"], one["field"]) for one in answer.json()["problems"]] == [(code, field)]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"\xff", b"[" * 100_000])
def test_what_is_no_object_is_a_400(server: Installation, body: bytes) -> None:
    answer = server.http.post(f"{server.base}/validate", content=body)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "MODELBOX_006")


def test_validate_is_for_post_alone_and_a_job_may_have_that_name(server: Installation) -> None:
    assert server.http.put(f"{server.base}/validate", json={}).json()["error_code"] == "MODELBOX_003"
    assert server.http.get(f"{server.base}/validate").status_code == 404
    assert server.create("validate", echo_flow(server.flow_port, "/named")).status_code == 201
    assert server.word("validate") == "RUNNING"
    assert server.delete("validate").status_code == 204


HOSTILE = {
    "nested": toml("digraph g {" + "subgraph {" * 20_000 + "}" * 20_000 + "}"),
    "ten megabytes": toml("digraph g {" + "a -> b;\n" * 1_200_000 + "}"),
    "a cycle": toml("digraph g { a[flowunit=httpserver_sync_reply, device=cpu]; a:x -> a:y; a:y -> a:x }"),
    "deep toml": toml("digraph g { }", "[a" + ".b" * 50_000 + "]\n"),
    "control characters": toml("digraph g { a[flowunit=\x01, device=cpu] }"),
    "half a character": toml("digraph g { a[flowunit=\ud800, device=cpu] }"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_graphs_are_wrong_and_harm_nobody(server: Installation, name: str) -> None:
    body = json.dumps({"job_graph": HOSTILE[name]})
    answer = server.http.post(f"{server.base}/validate", content=body)
    assert answer.status_code in (200, 400), answer.text
    assert answer.status_code == 400 or answer.json()["valid"] is False
    assert server.http.get("/health/live").status_code == 200


def test_descriptions_that_would_never_end_are_not_read(server: Installation, tmp_path: Path) -> None:
    unit = tmp_path / "stuck"
    unit.mkdir()
    os.mkfifo(unit / "stuck.toml")
    (tmp_path / "endless.toml").symlink_to("/dev/zero")
    body = validated(server, echo_flow(server.flow_port) | {"driver": {"dir": str(tmp_path)}})
    assert (body["valid"], body["nodes"]) == (True, 2)


def test_what_takes_too_long_to_examine_is_not_valid(server: Installation) -> None:
    body = validated(server, toml("digraph g {" + "a;" * 2_500_000 + "}"))
    assert [one["status"] for one in body["problems"]] == ["Operation timed out"]


async def test_when_too_many_want_one_some_are_told_to_come_back(server: Installation) -> None:
    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=None), timeout=30, trust_env=False) as client:
        url = f"http://127.0.0.1:{server.port}{server.base}/validate"
        asked = [asyncio.create_task(client.post(url, json={"job_graph": bad_flow()})) for _ in range(40)]
        answer = await anext(answer for each in asyncio.as_completed(asked) if (answer := await each).is_error)
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
    assert (answer.status_code, answer.json()["error_code"]) == (503, "MODELBOX_001")
    assert answer.headers["retry-after"] == "1"
    # those who wait no longer hold nobody up
    assert validated(server, echo_flow(server.flow_port))["valid"] is True


def dry(server: Installation, body: dict[str, Any]) -> httpx.Response:
    return server.http.put(server.base, params={"dry_run": "true"}, json=body)


def test_a_dry_run_answers_as_the_create_would(server: Installation) -> None:
    right = {"job_id": "dry", "job_graph": echo_flow(server.flow_port, "/dry")}
    answer = dry(server, right)
    assert (answer.status_code, answer.json()["valid"]) == (200, True)
    assert "location" not in answer.headers
    assert server.status("dry").status_code == 404
    assert server.http.put(server.base, json=right).status_code == 201
    taken = dry(server, right)
    assert (taken.status_code, taken.json()["error_code"]) == (400, "MODELBOX_005")
    assert server.create("second", echo_flow(server.flow_port, "/second")).status_code == 201
    many = dry(server, right | {"job_id": "third"})
    assert (many.status_code, many.json()["error_code"]) == (429, "MODELBOX_009")
    assert (server.delete("dry").status_code, server.delete("second").status_code) == (204, 204)


def test_a_dry_run_of_a_wrong_graph_says_what_the_create_says_and_more(server: Installation) -> None:
    body = {"job_id": "wrong", "job_graph": bad_flow()}
    dry_answer, answer = dry(server, body), server.http.put(server.base, json=body)
    assert (dry_answer.status_code, answer.status_code) == (400, 400)
    said, really = dry_answer.json(), answer.json()
    assert len(said.pop("problems")) == 2
    assert said == really
    assert really["detail"] == {"field": "job_graph", "node": "a", "line": 1}
    assert server.delete("wrong").status_code == 204


@pytest.mark.parametrize("query", ["dry_run=maybe", "dry_run=", "dry_run=true&dry_run=true"])
def test_a_malformed_dry_run_creates_nothing(server: Installation, query: str) -> None:
    answer = server.http.put(f"{server.base}?{query}", json={"job_id": "not", "job_graph": bad_flow()})
    assert (answer.status_code, answer.json()["detail"]) == (400, {"field": "dry_run"})
    assert server.status("not").status_code == 404


def test_other_queries_of_a_create_are_ignored_as_before(server: Installation) -> None:
    answer = server.http.put(f"{server.base}?dryrun=true&x", json={"job_id": "asked", "job_graph": bad_flow()})
    assert answer.json()["error_code"] == "MODELBOX_008"
    assert server.delete("asked").status_code == 204
