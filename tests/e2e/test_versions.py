"""The versions of a job over HTTP: which there were, how they differ, and back to one of them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.test_change import SAYS, said
from tests.flow.unitapi.folders import chain, write_unit
from tests.installation import Installation, bad_flow, echo_flow, free_port


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with Installation(tmp_path_factory.mktemp("versions") / "state") as server:
        yield server.start()


@pytest.fixture(scope="module")
def units(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_unit(tmp_path_factory.mktemp("units") / "says", "says", SAYS).parent


@pytest.fixture(scope="module")
def port(server: Installation, units: Path) -> int:
    """Of the job `story`, which had version 1, 2 with other options, 3 that failed, and has 4."""
    port = free_port()
    assert server.create("story", chain(port, units, "says", word="one")).status_code == 201
    assert server.change("story", options={"restart": {"attempts": 3}}).status_code == 200
    assert server.change("story", job_graph=bad_flow()).status_code == 400
    two = chain(port, units, "says", "again", word="two")
    write_unit(units / "again", "again", SAYS)
    assert server.change("story", job_graph=two).status_code == 200
    return port


def get(server: Installation, path: str, **params: Any) -> httpx.Response:
    return server.http.get(f"{server.base}/{path}", params=params)


def back(server: Installation, job_id: str, **params: Any) -> httpx.Response:
    return server.http.post(f"{server.base}/{job_id}/rollback", params=params)


def test_versions_tell_what_was_asked_for_and_what_came_of_it(server: Installation, port: int) -> None:
    page = get(server, "story/versions").json()
    assert (page["job"], page["version"], page["next"]) == ("story", 4, None)
    told = [(one["version"], one["state"], one["applied_at"] is not None) for one in page["versions"]]
    assert told == [(4, "current", True), (3, "failed", False), (2, "past", True), (1, "past", True)]
    four, three, two, one = page["versions"]
    assert "no_such_unit" in three["error"]
    assert two["graph_digest"] == one["graph_digest"] != four["graph_digest"]
    assert two["options"]["restart"]["attempts"] == 3
    assert all(version["actor"].startswith("rest:") and version["request_id"] for version in page["versions"])


def test_versions_come_in_pages(server: Installation, port: int) -> None:
    first = get(server, "story/versions", limit=3).json()
    assert [one["version"] for one in first["versions"]] == [4, 3, 2]
    second = get(server, "story/versions", limit=3, before=first["next"]).json()
    assert [one["version"] for one in second["versions"]] == [1]
    assert second["next"] is None


def test_two_versions_are_compared_by_node_and_edge(server: Installation, port: int) -> None:
    told = get(server, "story/diff").json()
    assert (told["from"], told["to"], told["equal"]) == (2, 4, False)
    assert [node["name"] for node in told["nodes"]["added"]] == ["again"]
    assert told["nodes"]["added"][0]["attributes"]["flowunit"] == "again"
    (changed,) = told["nodes"]["changed"]
    assert changed == {"name": "says", "attributes": {"word": {"before": "one", "after": "two"}}}
    assert told["nodes"]["removed"] == []
    assert told["edges"] == {
        "added": ["says:out_1 -> again:in_1", "again:out_1 -> tx:in_reply_info"],
        "removed": ["says:out_1 -> tx:in_reply_info"],
    }
    assert told["options"] == told["settings"] == {}
    assert told["remarks"] == []
    assert told["text"].startswith("--- version 2\n+++ version 4\n@@")
    assert "-says:out_1 -> tx:in_reply_info" in told["text"]


def test_options_are_compared_too(server: Installation, port: int) -> None:
    told = get(server, "story/diff", **{"from": 1, "to": 2}).json()
    assert told["options"]["restart.attempts"] == {"before": None, "after": 3}
    assert (told["text"], told["nodes"]["changed"]) == ("", [])
    assert get(server, "story/diff", **{"from": 1, "to": 1}).json()["equal"] is True


def test_a_version_that_cannot_be_built_is_compared_as_text(server: Installation, port: int) -> None:
    told = get(server, "story/diff", **{"from": 4, "to": 3}).json()
    (remark,) = told["remarks"]
    assert "version 3 cannot be built" in remark
    assert "digraph bad" in told["text"]


@pytest.mark.parametrize(
    ("params", "words"),
    [({"to": 9}, "there is no version 9; the newest is"), ({"to": 1}, "no version before 1"), ({"to": 0}, "'to'")],
)
def test_a_version_that_is_not_there(server: Installation, port: int, params: dict[str, int], words: str) -> None:
    answer = get(server, "story/diff", **params)
    assert answer.status_code == 400
    assert words in answer.json()["error_msg"]


def test_back_and_forth(server: Installation, units: Path) -> None:
    port = free_port()
    server.create("tides", chain(port, units, "says", word="ebb"))
    assert back(server, "tides").status_code == 400
    server.change("tides", job_graph=chain(port, units, "says", word="flood"), options={"stall_after": 5})
    assert back(server, "tides").json()["version"] == 3
    assert said(port) == "ebb"
    three, _, one = get(server, "tides/versions").json()["versions"]
    assert (three["back_to"], three["graph_digest"], three["options"]) == (1, one["graph_digest"], one["options"])
    assert back(server, "tides", to=1).json()["version"] == 3, "it is like that already"
    assert back(server, "tides", to=2).json()["version"] == 4
    assert said(port) == "flood"
    history = server.http.get(f"{server.base}/tides/history").json()["events"]
    asked = [entry["why"] for entry in history if entry["type"] == "change-requested"]
    assert asked[-1] == "roll back to version 2 requested, as version 4"


def test_back_to_what_does_not_run_any_more(server: Installation) -> None:
    taken, port = free_port(), free_port()
    server.create("evicted", echo_flow(taken, "/x"))
    server.change("evicted", job_graph=echo_flow(port, "/x"))
    deadline = 100
    while server.create("squatter", echo_flow(taken, "/x")).status_code != 201 and deadline:
        server.delete("squatter")  # the old engine may hold the port for a moment
        deadline -= 1
    refused = back(server, "evicted", to=1)
    assert refused.status_code == 400
    assert "already served by job squatter" in refused.json()["error_msg"]
    assert said(port, "/x") == "x"


def test_jobs_that_are_not_there(server: Installation) -> None:
    for path in ("nobody/versions", "nobody/diff"):
        assert get(server, path).status_code == 404
    assert back(server, "nobody").status_code == 404
