"""`Idempotency-Key`, `ETag` and `If-Match` over a real socket, through kill -9 and between servers."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from server.api.described_care import changes_a_job
from server.api.endpoints import document
from server.client import Client, Retries
from server.failpoints import VARIABLE, Action, Failpoint, arm, has_fired
from tests.installation import Installation, bad_flow, echo_flow, free_port
from tests.parts import Parts
from tests.postgres import Postgres

REPLAYED = "Idempotency-Replayed"


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def armoury(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp(f"failpoints-{request.param}")


@pytest.fixture(scope="module")
def server(
    armoury: Path, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """A server that can be told to die; `serve` starts its API again."""
    postgres: Postgres | None = request.getfixturevalue("postgres") if "postgres" in armoury.name else None
    url = None if postgres is None else postgres.new_database()
    with Installation(tmp_path_factory.mktemp("care") / "state", url) as installation:
        installation.environ[VARIABLE] = str(armoury)
        yield installation.start()


def put(http: httpx.Client, job_id: str, key: str = "", graph: Any = None, **headers: str) -> httpx.Response:
    body = {"job_id": job_id, "job_graph": graph or echo_flow(free_port())}
    if key:
        headers["Idempotency-Key"] = key
    return http.put("/v1/modelbox/job", json=body, headers=headers)


def delete(server: Installation, job_id: str, key: str = "", **headers: str) -> httpx.Response:
    if key:
        headers["Idempotency-Key"] = key
    return server.http.delete(f"{server.base}/{job_id}", headers=headers)


def etag(server: Installation, job_id: str) -> str:
    return str(server.status(job_id).headers["ETag"])


def events(server: Installation, job_id: str) -> list[str]:
    return [one["type"] for one in server.http.get(f"{server.base}/{job_id}/history").json()["events"]]


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error_code"]


def test_the_same_request_is_answered_the_same(server: Installation) -> None:
    flow = echo_flow(free_port())
    first = put(server.http, "again", "again-1", flow)
    second = put(server.http, "again", '"again-1"', flow)

    assert (first.status_code, second.status_code) == (201, 201)
    assert REPLAYED not in first.headers
    assert second.headers[REPLAYED] == "true"
    for name in ("Location", "ETag", "X-Frame-Options"):
        assert first.headers[name] == second.headers[name]
    assert events(server, "again").count("job-created") == 1


def test_a_deletion_is_answered_again_though_the_job_is_gone(server: Installation) -> None:
    put(server.http, "gone")
    assert delete(server, "gone", "gone-1").status_code == 204
    assert delete(server, "gone", "gone-1").status_code == 204
    assert delete(server, "gone", "gone-2").status_code == 404
    # and a job that was created since is not touched by it
    put(server.http, "gone")
    assert delete(server, "gone", "gone-1").headers[REPLAYED] == "true"
    assert delete(server, "gone", "gone-2").status_code == 404
    assert server.word("gone") == "RUNNING"


def test_a_refusal_is_answered_again(server: Installation) -> None:
    first = put(server.http, "bad", "bad-1", bad_flow())
    assert code(first) == (400, "MODELBOX_008")
    assert delete(server, "bad").status_code == 204
    again = put(server.http, "bad", "bad-1", bad_flow())
    assert (again.text, again.headers[REPLAYED]) == (first.text, "true")
    assert server.status("bad").status_code == 404


def test_a_key_is_for_one_request(server: Installation) -> None:
    put(server.http, "one", "one-1")
    answers = [
        put(server.http, "other", "one-1"),
        delete(server, "one", "one-1"),
        server.http.patch(f"{server.base}/one", json={}, headers={"Idempotency-Key": "one-1"}),
    ]
    assert [code(answer) for answer in answers] == [(422, "MODELBOX_013")] * 3
    assert server.status("other").status_code == 404
    assert server.word("one") == "RUNNING"


def test_a_bad_key_or_tag_is_told(server: Installation) -> None:
    for name, text in (("Idempotency-Key", "a b"), ("If-Match", "a b"), ("If-None-Match", '"1-1"')):
        answer = server.http.put(server.base, json={}, headers={name: text})
        assert code(answer) == (400, "MODELBOX_006")
        assert answer.json()["detail"]["field"] == name


def test_a_repeat_while_the_first_runs(server: Installation, armoury: Path) -> None:
    arm(armoury, Failpoint.RUNNER_BEFORE_START, Action.DELAY, "runner")
    flow = echo_flow(free_port())
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: put(server.http, "busy", "busy-1", flow), range(8)))
    by_status = {answer.status_code: answer for answer in answers}
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    assert code(by_status[409]) == (409, "MODELBOX_014")
    assert by_status[409].headers["Retry-After"] == "1"
    assert put(server.http, "busy", "busy-1", flow).headers[REPLAYED] == "true"
    assert events(server, "busy").count("job-created") == 1


def test_a_client_that_did_not_wait_gets_the_answer_later(server: Installation, armoury: Path) -> None:
    arm(armoury, Failpoint.RUNNER_BEFORE_START, Action.DELAY, "runner")
    flow = echo_flow(free_port())
    hasty = httpx.Client(base_url=server.http.base_url, timeout=0.3, trust_env=False)
    with hasty, pytest.raises(httpx.ReadTimeout):
        put(hasty, "hasty", "hasty-1", flow)
    while (answer := put(server.http, "hasty", "hasty-1", flow)).status_code == 409:
        threading.Event().wait(0.05)
    assert (answer.status_code, answer.headers[REPLAYED]) == (201, "true")


@pytest.mark.parametrize(
    "point", [Failpoint.API_SUBMITTED, Failpoint.API_BEFORE_ANSWER, Failpoint.API_ANSWER_KEPT]
)
def test_killed_between_commit_and_answer(server: Installation, armoury: Path, point: Failpoint) -> None:
    job_id, flow = point.replace(".", "-"), echo_flow(free_port())
    arm(armoury, point, Action.CRASH, "api")
    with pytest.raises(httpx.TransportError):
        put(server.http, job_id, job_id, flow)
    assert has_fired(armoury, point)
    (armoury / f"{point}.fired").unlink()
    server.wait_until_serving()

    answer = put(server.http, job_id, job_id, flow)

    assert answer.status_code == 201, answer.text
    assert (REPLAYED in answer.headers) == (point is Failpoint.API_ANSWER_KEPT)
    assert events(server, job_id).count("job-created") == 1
    assert put(server.http, job_id, job_id, flow).headers[REPLAYED] == "true"


def test_the_client_notices_nothing_of_a_killed_server(server: Installation, armoury: Path) -> None:
    arm(armoury, Failpoint.API_SUBMITTED, Action.CRASH, "api")
    with Client(str(server.http.base_url), retries=Retries(count=8)) as client:
        client.create("patient", echo_flow(free_port()))
    assert has_fired(armoury, Failpoint.API_SUBMITTED)
    (armoury / f"{Failpoint.API_SUBMITTED}.fired").unlink()
    assert events(server, "patient").count("job-created") == 1
    assert server.word("patient") == "RUNNING"


def test_killed_after_a_deletion_was_on_record(server: Installation, armoury: Path) -> None:
    put(server.http, "dying")
    arm(armoury, Failpoint.API_SUBMITTED, Action.CRASH, "api")
    with pytest.raises(httpx.TransportError):
        delete(server, "dying", "dying-1")
    (armoury / f"{Failpoint.API_SUBMITTED}.fired").unlink()
    server.wait_until_serving()
    put(server.http, "dying")  # of another, who does not know; it may be there still
    assert delete(server, "dying", "dying-1").status_code == 204
    assert events(server, "dying").count("delete-requested") == 1


def test_the_event_has_the_key(server: Installation) -> None:
    put(server.http, "marked", "marked-1")
    first = server.http.get(f"{server.base}/marked/history").json()["events"][0]
    assert first["idempotency_key"] == "marked-1"


def test_a_tag_stays_while_the_engine_works_and_changes_with_a_command(server: Installation) -> None:
    created = put(server.http, "tagged")
    answer = server.status("tagged")
    assert answer.headers["ETag"] == created.headers["ETag"] == '"1-1"'
    assert answer.headers["Cache-Control"] == "no-store"
    # what has this tag may be another status by now: nobody is told that nothing changed
    assert server.http.get(f"{server.base}/tagged", headers={"If-None-Match": '"1-1"'}).status_code == 200

    assert code(delete(server, "tagged", **{"If-Match": '"1-7"'})) == (412, "MODELBOX_015")
    assert server.word("tagged") == "RUNNING"
    assert delete(server, "tagged", **{"If-Match": '"1-7", "1-1"'}).status_code == 204
    assert delete(server, "tagged", **{"If-Match": "*"}).status_code == 404
    put(server.http, "tagged")
    assert etag(server, "tagged") == '"2-1"'


def test_a_create_on_condition(server: Installation) -> None:
    assert code(put(server.http, "new", **{"If-Match": "*"})) == (412, "MODELBOX_015")
    assert put(server.http, "new", **{"If-None-Match": "*"}).status_code == 201
    assert code(put(server.http, "new", **{"If-None-Match": "*"})) == (412, "MODELBOX_015")
    assert code(put(server.http, "new")) == (400, "MODELBOX_005")


def test_of_many_who_have_seen_the_same_one_changes_it(server: Installation) -> None:
    put(server.http, "raced")
    seen = etag(server, "raced")

    def change(number: int) -> int:
        body = {"options": {"restart": {"policy": "always", "attempts": number}}}
        return server.http.patch(f"{server.base}/raced", json=body, headers={"If-Match": seen}).status_code

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(change, range(1, 9)))
    assert sorted(answers) == [200] + [412] * 7
    assert etag(server, "raced") != seen


def test_a_careful_change_whose_answer_was_lost(server: Installation) -> None:
    put(server.http, "lost")
    careful = {"If-Match": etag(server, "lost"), "Idempotency-Key": "lost-1"}
    body = {"options": {"restart": {"attempts": 7}}}
    answers = [server.http.patch(f"{server.base}/lost", json=body, headers=careful) for _ in range(2)]
    # its own tag is stale after the first, and it is not to blame for that
    assert [answer.status_code for answer in answers] == [200, 200]
    assert events(server, "lost").count("change-requested") == 1


def changing_operations() -> list[tuple[str, str]]:
    """Methods and paths of what changes a job, and leaves it there."""
    found = [
        (method.upper(), path)
        for path, operations in document()["paths"].items()
        for method in operations
        if changes_a_job(method.upper(), path) and "{job_id}" in path
    ]
    return [one for one in found if one[0] != "DELETE"]


@pytest.mark.parametrize("armoury", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("method", "path"), changing_operations())
def test_whatever_changes_a_job_has_care(server: Installation, armoury: Path, method: str, path: str) -> None:
    job_id = f"all-{path.rpartition('/')[2].strip('{}')}"
    put(server.http, job_id)
    server.http.patch(f"{server.base}/{job_id}", json={"options": {"restart": {"attempts": 1}}})

    def ask(**headers: str) -> httpx.Response:
        body = {"options": {"restart": {"attempts": 2}}} if method == "PATCH" else None
        return server.http.request(method, path.format(job_id=job_id), json=body, headers=headers)

    assert code(ask(**{"If-Match": '"9-9"'})) == (412, "MODELBOX_015")
    careful = {"If-Match": etag(server, job_id), "Idempotency-Key": job_id}
    first, second = ask(**careful), ask(**careful)
    assert (first.status_code, second.status_code) == (200, 200), first.text
    assert (second.text, second.headers[REPLAYED]) == (first.text, "true")
    assert first.headers["ETag"] == second.headers["ETag"] == etag(server, job_id)


@pytest.fixture
def apis(postgres: Postgres, tmp_path: Path) -> Iterator[Parts]:
    with Installation(tmp_path / "state", postgres.new_database()) as installation:
        parts = Parts(installation)
        try:
            yield parts
        finally:
            parts.end()


def test_two_servers_on_one_database(apis: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = (apis.api(base="") for _ in range(2))
    flow = echo_flow(free_port())
    with ThreadPoolExecutor(1) as threads:
        # nobody runs jobs yet, so that it waits
        first = threads.submit(put, one, "shared", "shared-1", flow)
        while one.get("/v1/modelbox/job/shared").status_code == 404:
            threading.Event().wait(0.02)
        assert code(put(two, "shared", "shared-1", flow)) == (409, "MODELBOX_014")
        apis.processes[0].kill()
        with pytest.raises(httpx.TransportError):
            first.result()
    apis.processes[0].wait()
    apis.start("runner")

    assert put(two, "shared", "shared-1", flow).status_code == 201
    assert put(two, "shared", "shared-1", flow).headers[REPLAYED] == "true"
