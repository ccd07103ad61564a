"""The list of jobs, over a real socket."""

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from server.api.job_rows import FIELDS
from tests.installation import Installation, bad_flow, echo_flow, free_port

JOBS = "/v1/modelbox/jobs"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """With one RUNNING job and twelve FAILED ones."""
    with Installation(tmp_path_factory.mktemp("list") / "state") as installation:
        installation.start()
        assert installation.create("runs", echo_flow(installation.flow_port)).status_code == 201
        for n in range(12):
            assert installation.create(f"fails-{n}", bad_flow()).status_code == 400
        yield installation


def get(server: Installation, **query: Any) -> Any:
    answer = server.http.get(JOBS, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def ids(page: Any) -> list[str]:
    return [job["job_id"] for job in page["jobs"]]


def test_all_fields_of_a_job(server: Installation) -> None:
    (job,) = get(server, status="RUNNING")["jobs"]
    assert tuple(job) == FIELDS
    status = server.status("runs").json()
    assert {name: job[name] for name in status} == status
    assert job["engine"]["pid"] in server.engines()["runs"]
    assert job["endpoints"] == [f"http://127.0.0.1:{server.flow_port}/example"]
    assert job["created"] < job["ready_since"] == job["changed"]
    assert (job["desired"], job["actual"], job["outcome"]) == ("running", "ready", "open")
    events = server.http.get(f"{server.base}/runs/history").json()["events"]
    assert job["position"] == events[-1]["position"]
    assert job["events"] == len(events)
    assert (job["version"], job["labels"]) == (1, {})


def test_chosen_fields(server: Installation) -> None:
    page = get(server, fields="job_status,job_id", text="RUNS")
    assert page["jobs"] == [{"job_status": "RUNNING", "job_id": "runs"}]


def test_counts_and_pages(server: Installation) -> None:
    page = get(server, limit=5, status="FAILED")
    assert (page["total"], page["counts"]) == (12, {"FAILED": 12, "RUNNING": 1})
    found = ids(page)
    while page["next"] is not None:
        page = get(server, limit=5, status="FAILED", cursor=page["next"])
        found += ids(page)
    assert found == [f"fails-{n}" for n in range(12)]
    assert ids(get(server, status="FAILED,RUNNING", sort="-created", limit=2)) == ["fails-11", "fails-10"]


def test_times(server: Installation) -> None:
    jobs = get(server)["jobs"]
    assert ids(get(server, created_before=jobs[1]["created"])) == ["runs"]
    assert ids(get(server, created_after=jobs[-2]["created"])) == ["fails-11"]
    assert get(server, changed_after=jobs[-1]["changed"])["jobs"] == []


def test_what_was_just_done_is_in_it(server: Installation) -> None:
    before = get(server)["position"]
    assert server.create("brief", echo_flow(free_port())).status_code == 201
    page = get(server, text="brief")
    assert page["counts"] == {"RUNNING": 1}
    assert page["position"] > before
    assert server.delete("brief").status_code == 204
    assert get(server, text="brief")["jobs"] == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=BROKEN", "status"),
        ("status=running", "status"),
        ("sort=size", "sort"),
        ("fields=job_id,secret", "fields"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("cursor=x", "cursor"),
        ("cursor=%00%ff", "cursor"),
        ("cursor=" + "A" * 3000, "cursor"),
        ("created_after=2026-01-01", "created_after"),
        ("created_before=0.5", "created_before"),
        ("label=%3Dvalue", "label"),
        ("label=a,!", "label"),
        ("labels=a", "labels"),
    ],
)
def test_bad_parameters_are_named(server: Installation, query: str, field: str) -> None:
    answer = server.http.get(f"{JOBS}?{query}")
    assert (answer.status_code, answer.json()["error_code"]) == (400, "MODELBOX_006")
    assert answer.json()["detail"] == {"field": field}


def test_a_cursor_belongs_to_its_order(server: Installation) -> None:
    for sort, other in (("created", "-created"), ("job_id", "job_status"), ("-changed", "-job_id")):
        cursor = get(server, sort=sort, limit=1)["next"]
        assert get(server, sort=sort, limit=1, cursor=cursor)["jobs"]
        answer = server.http.get(JOBS, params={"sort": other, "cursor": cursor})
        assert answer.json()["detail"] == {"field": "cursor"}


def test_a_list_and_a_watch_join_up(server: Installation) -> None:
    position = get(server)["position"]
    assert server.create("joined", bad_flow()).status_code == 400
    page = server.http.get("/v1/modelbox/events", params={"after": position, "wait": 5}).json()
    assert [one["type"] for one in page["events"]][:1] == ["job-created"]
    assert server.delete("joined").status_code == 204


def test_by_label(server: Installation) -> None:
    for job_id, labels in (("l-a", {"team": "vision", "site": "n"}), ("l-b", {"team": "sound"}), ("l-c", {})):
        body = {"job_id": job_id, "job_graph": bad_flow(), "options": {"labels": labels}}
        assert server.http.put(server.base, json=body).status_code == 400
    for wanted, found in (
        ("label=team", ["l-a", "l-b"]),
        ("label=team%3Dvision", ["l-a"]),
        ("label=team!=vision", ["l-b", "l-c"]),
        ("label=!team", ["l-c"]),
        ("label=team&label=!site", ["l-b"]),
        ("label=team,site=n", ["l-a"]),
        ("label=team=", []),
    ):
        page = server.http.get(f"{JOBS}?text=l-&sort=job_id&fields=job_id,labels&{wanted}").json()
        assert (ids(page), page["total"], sum(page["counts"].values())) == (found, len(found), len(found)), wanted
    assert get(server, text="l-a", fields="labels")["jobs"] == [{"labels": {"team": "vision", "site": "n"}}]
    for job_id in ("l-a", "l-b", "l-c"):
        assert server.delete(job_id).status_code == 204


def test_an_end_is_told(server: Installation) -> None:
    (pid,) = server.engines()["runs"]
    os.kill(pid, signal.SIGKILL)
    server.wait_until("runs", lambda status: "last_exit" in status)
    (job,) = get(server, text="runs")["jobs"]
    assert job["last_exit"]["signal"] == signal.SIGKILL
