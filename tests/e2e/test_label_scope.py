"""What a token with a label scope sees and does: of other jobs, nothing."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from server.api.endpoints import ENDPOINTS
from server.api.modelbox import DESCRIBED
from server.api.rights import Scoped
from tests.e2e.access import REQUIRED, bearer, client_of, error_of, make_token
from tests.installation import Installation, bad_flow, echo_flow
from tests.streams import Watcher

NO_SUCH_JOB = (404, "MODELBOX_002")
NOT_ALLOWED = (403, "MODELBOX_011")
JOB = "/v1/modelbox/job"
A, B = {"team": "a", "site": "north"}, {"team": "b"}


def body(job_id: str, labels: dict[str, str] | None, graph: dict[str, Any] | None = None) -> dict[str, Any]:
    options = {} if labels is None else {"options": {"labels": labels}}
    return {"job_id": job_id, "job_graph": graph or bad_flow(), **options}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with Installation(tmp_path_factory.mktemp("scopes") / "state") as installation:
        installation.environ = dict(REQUIRED)
        installation.start()
        yield installation


@pytest.fixture(scope="module")
def admin(server: Installation) -> Iterator[httpx.Client]:
    with client_of(server, make_token(server, "root", "admin")) as client:
        yield client


@pytest.fixture(scope="module")
def team(server: Installation, admin: httpx.Client) -> Iterator[httpx.Client]:
    """May operate jobs of team a. There are `mine`, which runs, and `theirs` and `nobodys`."""
    flow = echo_flow(server.flow_port)
    assert admin.put(JOB, json=body("mine", A, flow)).status_code == 201
    assert admin.put(JOB, json=body("theirs", B)).status_code == 400
    assert admin.put(JOB, json=body("nobodys", None)).status_code == 400
    with client_of(server, make_token(server, "team-a", "operate", {"team": "a"})) as client:
        yield client


def ids(answer: httpx.Response) -> set[str]:
    return {job["job_id"] for job in answer.json().get("job_list", answer.json().get("jobs"))}


def test_lists_have_its_jobs_only(admin: httpx.Client, team: httpx.Client) -> None:
    assert ids(admin.get(f"{JOB}/list/all")) == {"mine", "theirs", "nobodys"}
    assert ids(team.get(f"{JOB}/list/all")) == {"mine"}
    page = team.get("/v1/modelbox/jobs")
    assert ids(page) == {"mine"}
    assert (page.json()["total"], page.json()["counts"]) == (1, {"RUNNING": 1})
    assert ids(team.get("/v1/modelbox/jobs?text=theirs")) == set()


ABOUT_ONE_JOB = [(one.method, one.path) for one in [*DESCRIBED, *ENDPOINTS] if one.need.scoped is Scoped.JOB]


@pytest.mark.parametrize(("method", "path"), ABOUT_ONE_JOB)
def test_another_job_does_not_exist(team: httpx.Client, method: str, path: str) -> None:
    def ask(job_id: str) -> httpx.Response:
        return team.request(method, path.replace("{job_id}", job_id))

    for job_id in ("theirs", "nobodys", "never-was"):
        answer = ask(job_id)
        assert error_of(answer) == NO_SUCH_JOB
        assert answer.content == ask("never-was").content
    if method == "GET":
        assert ask("mine").status_code in (200, 400)


def test_another_job_cannot_be_deleted(admin: httpx.Client, team: httpx.Client) -> None:
    assert error_of(team.delete(f"{JOB}/theirs")) == NO_SUCH_JOB
    assert admin.get(f"{JOB}/theirs").status_code == 200


@pytest.mark.parametrize("labels", [None, B, {"site": "north"}, {"team": "A"}])
def test_a_job_out_of_scope_cannot_be_created(
    admin: httpx.Client, team: httpx.Client, labels: dict[str, str] | None
) -> None:
    answer = team.put(JOB, json=body("new", labels))
    assert error_of(answer) == NOT_ALLOWED
    assert answer.json()["detail"] == {"field": "options.labels"}
    assert "team=a" in answer.json()["error_msg"]
    assert error_of(team.put(f"{JOB}?dry_run=true", json=body("new", labels))) == NOT_ALLOWED
    assert admin.get(f"{JOB}/new").status_code == 404


def test_a_job_in_scope_can_be_created_and_deleted(admin: httpx.Client, team: httpx.Client) -> None:
    assert error_of(team.put(JOB, json=body("new", A))) == (400, "MODELBOX_008")
    assert admin.get(f"{JOB}/new").status_code == 200
    assert team.delete(f"{JOB}/new").status_code == 204


def test_that_an_id_is_taken_is_told(team: httpx.Client) -> None:
    assert error_of(team.put(JOB, json=body("theirs", A))) == (400, "MODELBOX_005")


def test_the_log_of_all_jobs_has_its_jobs_only(admin: httpx.Client, team: httpx.Client) -> None:
    page = team.get("/v1/modelbox/events").json()
    assert {event["job"] for event in page["events"]} <= {"mine", "new"}
    assert "mine" in {event["job"] for event in page["events"]}
    everything = admin.get("/v1/modelbox/events").json()
    assert {event["job"] for event in everything["events"]} >= {"mine", "theirs", "nobodys", None}
    assert page["head"] == everything["head"] == page["next"]


def test_a_stream_has_its_jobs_only_to_their_end(
    server: Installation, admin: httpx.Client, team: httpx.Client
) -> None:
    url = f"http://127.0.0.1:{server.port}/v1/modelbox/events"
    with Watcher(url, headers={"Authorization": team.headers["Authorization"]}) as watcher:
        for job_id, labels in (("s-theirs", B), ("s-mine", A), ("s-last", A)):
            assert admin.put(JOB, json=body(job_id, labels)).status_code == 400
            assert admin.delete(f"{JOB}/{job_id}").status_code == 204
        watcher.wait_for(
            lambda: (
                watcher.entries[-1:] != []
                and (watcher.entries[-1]["job"], watcher.types[-1]) == ("s-last", "job-deleted")
            )
        )
        mine = [entry["type"] for entry in watcher.entries if entry["job"] == "s-mine"]
        assert (mine[0], mine[-1]) == ("job-created", "job-deleted")
        assert {entry["job"] for entry in watcher.entries} == {"s-mine", "s-last"}


def test_a_long_poll_is_not_woken_by_other_jobs(admin: httpx.Client, team: httpx.Client) -> None:
    head = team.get("/v1/modelbox/events").json()["head"]
    assert admin.put(JOB, json=body("p-theirs", B)).status_code == 400
    nothing = team.get(f"/v1/modelbox/events?after={head}&wait=0.2").json()
    assert nothing["events"] == []
    assert nothing["next"] > head
    assert admin.delete(f"{JOB}/p-theirs").status_code == 204


def test_of_a_deleted_job_its_last_labels_count(admin: httpx.Client, team: httpx.Client) -> None:
    for labels in (A, B):
        assert admin.put(JOB, json=body("twice", labels)).status_code == 400
        assert admin.delete(f"{JOB}/twice").status_code == 204
    # the newest job of that id is not of team a, and so there is none
    assert error_of(team.get(f"{JOB}/twice/history")) == NO_SUCH_JOB
    assert admin.put(JOB, json=body("twice", A)).status_code == 400
    seen = team.get(f"{JOB}/twice/history").json()["events"]
    assert {event["incarnation"] for event in seen} == {1, 3}
    assert {event["incarnation"] for event in team.get(f"{JOB}/twice/events").json()["events"]} == {1, 3}
    assert error_of(team.get(f"{JOB}/twice/log?incarnation=2")) == NO_SUCH_JOB
    assert team.get(f"{JOB}/twice/log?incarnation=1").status_code == 200
    assert team.delete(f"{JOB}/twice").status_code == 204
    assert team.get(f"{JOB}/twice/history").status_code == 200


def test_a_log_that_is_followed_ends_where_another_job_takes_the_id(
    server: Installation, admin: httpx.Client, team: httpx.Client
) -> None:
    assert admin.put(JOB, json=body("follow", A)).status_code == 400
    with team.stream("GET", f"{JOB}/follow/log?follow=true&format=json", timeout=30) as log:
        lines = log.iter_lines()
        assert json.loads(next(lines))["incarnation"] == 1
        assert admin.delete(f"{JOB}/follow").status_code == 204
        assert admin.put(JOB, json=body("follow", B)).status_code == 400
        rest = [json.loads(line)["incarnation"] for line in lines]
    assert set(rest) <= {1}
    assert admin.delete(f"{JOB}/follow").status_code == 204


def test_labels_cannot_be_taken_from_a_job(admin: httpx.Client, team: httpx.Client) -> None:
    assert admin.put(JOB, json=body("change", A)).status_code == 400
    for labels in ({"team": "b"}, {"team": None}, None):
        answer = team.patch(f"{JOB}/change", json={"options": {"labels": labels}})
        assert error_of(answer) == NOT_ALLOWED
    assert team.patch(f"{JOB}/change", json={"options": {"labels": {"site": "south"}}}).status_code == 200
    assert error_of(team.patch(f"{JOB}/theirs", json={"options": {"labels": {"team": "a"}}})) == NO_SUCH_JOB
    assert admin.patch(f"{JOB}/change", json={"options": {"labels": {"team": "b"}}}).status_code == 200
    assert error_of(team.get(f"{JOB}/change")) == NO_SUCH_JOB
    assert admin.delete(f"{JOB}/change").status_code == 204
    # its last labels are those that it was given
    assert error_of(team.get(f"{JOB}/change/history")) == NO_SUCH_JOB


@pytest.mark.parametrize("path", ["/metrics", "/v1/modelbox/tokens"])
def test_what_is_about_all_jobs_is_closed(team: httpx.Client, path: str) -> None:
    assert error_of(team.get(path)) == NOT_ALLOWED


def test_what_is_about_no_job_is_open(team: httpx.Client) -> None:
    assert team.get("/version").status_code == 200
    assert team.post(f"{JOB}/validate", json={"job_graph": bad_flow()}).status_code == 200


def test_a_job_must_have_all_labels(server: Installation, admin: httpx.Client) -> None:
    both = bearer(make_token(server, "both", "read", A))
    other = bearer(make_token(server, "other", "read", {"team": "a", "site": "south"}))
    assert server.http.get(f"{JOB}/mine", headers=both).status_code == 200
    assert server.http.get(f"{JOB}/mine", headers=other).status_code == 404


def test_an_escaped_path_leads_to_the_same_job(team: httpx.Client) -> None:
    assert error_of(team.get(f"{JOB}/%74heirs")) == NO_SUCH_JOB
    assert error_of(team.get(f"{JOB}/%74heirs/%68istory")) == NO_SUCH_JOB
    assert error_of(team.get(f"{JOB}/list%2Fall")) == NO_SUCH_JOB
    assert team.get(f"{JOB}/%6dine").status_code == 200
