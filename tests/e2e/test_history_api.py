"""Histories and pages of the log, over a real socket."""

import socket
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from server.jobs.events import EVENT_TYPES
from tests.installation import Installation, bad_flow, echo_flow, free_port

EVENTS = "/v1/modelbox/events"
LIFE = ["job-created", "engine-started", "engine-ready", "delete-requested", "engine-stopped", "job-deleted"]
FAILED_LIFE = ["job-created", "engine-started", "engine-failed", "delete-requested", "job-deleted"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """With two lives of the job "twice", and one of "failed"."""
    with Installation(tmp_path_factory.mktemp("history") / "state") as installation:
        installation.start()
        for _ in range(2):
            assert installation.create("twice", echo_flow(free_port())).status_code == 201
            assert installation.delete("twice").status_code == 204
        assert installation.create("failed", bad_flow()).status_code == 400
        assert installation.delete("failed").status_code == 204
        yield installation


def get(server: Installation, path: str, **query: Any) -> Any:
    answer = server.http.get(path, params=query or None)
    assert answer.status_code == 200, answer.text
    return answer.json()


def history(server: Installation, job_id: str, **query: Any) -> Any:
    return get(server, f"{server.base}/{job_id}/history", **query)


def refusal(answer: httpx.Response) -> tuple[int, str, str]:
    body = answer.json()
    return answer.status_code, body["error_code"], body.get("detail", {}).get("field", "")


def test_a_deleted_jobs_history_over_its_lives(server: Installation) -> None:
    body = history(server, "twice")
    assert (body["job"], body["next"]) == ("twice", None)
    assert [(one["type"], one["incarnation"], one["number"]) for one in body["events"]] == [
        (kind, incarnation, version) for incarnation in (1, 2) for version, kind in enumerate(LIFE, 1)
    ]
    created, started = body["events"][:2]
    assert created["actor"] == "rest:127.0.0.1"
    assert created["request_id"]
    assert created["what"]["origin"] == "rest"
    assert created["why"] == "created over REST"
    assert (started["actor"], started["request_id"]) == ("runner", "")
    assert started["epoch"] == 1
    assert started["why"].startswith(f"attempt 1 started: pid {started['what']['engine']['pid']} on ")
    times = [one["time"] for one in body["events"]]
    assert times == sorted(times)


def test_why_it_failed_is_told(server: Installation) -> None:
    events = history(server, "failed")["events"]
    assert [one["type"] for one in events] == FAILED_LIFE
    assert "failed, for good: Not found, build graph failed" in events[2]["why"]


@pytest.mark.parametrize("order", ["oldest", "newest"])
@pytest.mark.parametrize("limit", [1, 5, 12, 1000])
def test_pages_of_a_history_join_up(server: Installation, order: str, limit: int) -> None:
    whole = history(server, "twice")["events"]
    found: list[Any] = []
    page = history(server, "twice", order=order, limit=limit)
    while True:
        found += page["events"]
        if page["next"] is None:
            break
        page = history(server, "twice", order=order, limit=limit, cursor=page["next"])
    assert found == (whole if order == "oldest" else whole[::-1])


def test_only_ids_that_never_were_are_404(server: Installation) -> None:
    for job_id in ("nobody", "%00", "%ff", "a%2Fb"):
        for word in ("history", "events"):
            answer = server.http.get(f"{server.base}/{job_id}/{word}")
            assert refusal(answer)[:2] == (404, "MODELBOX_002")
    assert refusal(server.http.get("/v1/modelbox/job//history")) == (400, "MODELBOX_006", "")


def test_words_and_ids_are_told_apart(server: Installation) -> None:
    for job_id in ("history", "events", "list", "all"):
        assert server.create(job_id, echo_flow(free_port())).status_code == 201
        assert server.status(job_id).json()["job_id"] == job_id
        assert history(server, job_id)["events"][0]["type"] == "job-created"
        assert get(server, f"{server.base}/{job_id}/events")["events"][0]["job"] == job_id
        assert get(server, f"{server.base}/{job_id}/histor%79")["job"] == job_id
    assert "job_list" in get(server, f"{server.base}/list/all")
    # ModelBox ignores what stands behind the base in a create, and knows no longer paths in a delete
    body = {"job_id": "by-word", "job_graph": echo_flow(free_port())}
    assert server.http.put(f"{server.base}/list/history", json=body).status_code == 201
    assert server.http.delete(f"{server.base}/by-word/history").status_code == 404
    assert server.http.patch(f"{server.base}/by-word/history").status_code == 404
    for job_id in ("history", "events", "list", "all", "by-word"):
        assert server.delete(job_id).status_code == 204


def test_head_is_get_without_a_body(server: Installation) -> None:
    for path, status in (
        (f"{server.base}/twice/history", 200),
        (f"{server.base}/nobody/events", 404),
        (EVENTS, 200),
    ):
        answer = server.http.head(path)
        assert (answer.status_code, answer.content) == (status, b"")
    answer = server.http.head(EVENTS, headers={"Accept": "text/event-stream"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")


def test_the_log_has_every_position_once(server: Installation) -> None:
    found: list[Any] = []
    page = get(server, EVENTS, limit=4)
    while page["events"]:
        found += page["events"]
        page = get(server, EVENTS, limit=4, after=page["next"])
    assert [one["position"] for one in found] == list(range(1, page["head"] + 1))
    assert page["next"] == page["head"]
    assert {one["type"] for one in found} <= set(EVENT_TYPES)
    elected = next(one for one in found if one["type"] == "leader-elected")
    assert (elected["job"], elected["incarnation"], elected["number"]) == (None, None, None)


def test_filters_by_job_and_type(server: Installation) -> None:
    of_job = get(server, EVENTS, job="twice")["events"]
    assert of_job == history(server, "twice")["events"]
    assert get(server, f"{server.base}/twice/events")["events"] == of_job
    ends = get(server, EVENTS, job="twice", type="job-created,job-deleted")["events"]
    assert [one["type"] for one in ends] == ["job-created", "job-deleted"] * 2
    again = get(server, f"{server.base}/twice/events?type=job-created&type=job-deleted")["events"]
    assert again == ends
    page = get(server, EVENTS, type="no-such-type")
    assert (page["events"], page["next"]) == ([], page["head"])
    assert get(server, EVENTS, job="nobody")["events"] == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("after=-1", "after"),
        ("after=9223372036854775808", "after"),
        ("after=1000000", "after"),
        ("after=x", "after"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("wait=61", "wait"),
        ("wait=nan", "wait"),
        ("wait=-1", "wait"),
        ("type=A%00", "type"),
        ("type=", "type"),
        ("type=job-created,", "type"),
        ("order=newest", "order"),
        ("after=1&after=2", "after"),
    ],
)
def test_bad_parameters_are_named(server: Installation, query: str, field: str) -> None:
    assert refusal(server.http.get(f"{EVENTS}?{query}")) == (400, "MODELBOX_006", field)


def test_a_long_poll_is_answered_when_something_happens(server: Installation) -> None:
    head = get(server, EVENTS)["head"]
    answers: list[Any] = []

    def poll() -> None:
        with httpx.Client(base_url=server.http.base_url, trust_env=False, timeout=40) as client:
            query = {"after": str(head), "wait": "30", "type": "job-deleted"}
            answers.append(client.get(EVENTS, params=query).json())

    waiting = threading.Thread(target=poll)
    waiting.start()
    assert server.create("polled", echo_flow(free_port())).status_code == 201
    assert waiting.is_alive()
    assert server.delete("polled").status_code == 204
    waiting.join(5)
    assert [one["job"] for one in answers[0]["events"]] == ["polled"]
    assert answers[0]["next"] == answers[0]["events"][-1]["position"]


def test_a_long_poll_ends_without_an_event(server: Installation) -> None:
    head = get(server, EVENTS)["head"]
    page = get(server, EVENTS, after=head, wait="0.2")
    assert (page["events"], page["next"]) == ([], head)


def test_a_stopping_server_answers_long_polls(sqlite_installation: Installation) -> None:
    server = sqlite_installation.start()
    head = get(server, EVENTS)["head"]
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(
            f"GET {EVENTS}?after={head}&type=job-created&wait=60 HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        )
        assert server.word("nobody") == "NOTEXIST"  # the other request is being handled by now
        assert server.stop() == 0
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
