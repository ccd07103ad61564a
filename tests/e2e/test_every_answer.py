"""Each status that the description has for an endpoint is answered over a socket, by a test here or named here."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from server.api.endpoints import document
from tests.e2e.test_database_faults import closed
from tests.installation import Installation, echo_flow
from tests.postgres import Postgres

OPERATIONS: dict[str, tuple[str, str, frozenset[int]]] = {
    operation["operationId"]: (method.upper(), path, frozenset(map(int, operation["responses"])))
    for path, operations in document()["paths"].items()
    for method, operation in operations.items()
}
CREATES = ("create_job", "create_job_by_post")
LATER = {"headers": {"Prefer": "respond-async"}}
MALFORMED: dict[str, dict[str, Any]] = {
    **{name: {"content": b"{"} for name in (*CREATES, "validate_job", "change_job")},
    "read_job": {"params": {"view": "x"}},
    "delete_job": {"params": {"grace": "x"}},
}
"""What is answered 400; of other endpoints, a parameter that there is not."""

# 421 takes two machines, and is tested below the socket
ELSEWHERE = {
    401: "test_access.py::test_every_endpoint_with_every_role",
    403: "test_access.py::test_every_endpoint_with_every_role",
    412: "test_care_api.py::test_whatever_changes_a_job_has_care",
    421: "../api/test_log_places.py::test_a_log_on_another_machine_is_told_also_when_the_job_is_gone",
    422: "test_care_api.py::test_a_key_is_for_one_request",
    409: "test_care_api.py::test_a_repeat_while_the_first_runs",
    429: "test_limits.py::test_a_create_beyond_the_number_of_jobs_is_refused",
}
OF_SOME = {
    ("change_job", 409): "test_change.py::test_one_change_at_a_time_and_a_delete_ends_it",
    ("validate_job", 503): "test_validate_api.py::test_when_too_many_want_one_some_are_told_to_come_back",
    ("ready", 503): "test_health_api.py::test_not_ready_while_the_database_cannot_be_used",
}


def answering(status: int) -> list[str]:
    return [name for name, (_, _, statuses) in OPERATIONS.items() if status in statuses]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[Installation]:
    url = postgres.new_database()
    with Installation(tmp_path_factory.mktemp("answers") / "state", url) as installation:
        yield installation.start()


def ask(server: Installation, name: str, job_id: str, **request: Any) -> httpx.Response:
    method, path, _ = OPERATIONS[name]
    return server.http.request(method, path.replace("{job_id}", job_id), **request)


def create_body(server: Installation, job_id: str, **options: Any) -> dict[str, Any]:
    return {"job_id": job_id, "job_graph": echo_flow(server.flow_port, f"/{job_id}"), "options": options}


def body_of(server: Installation, name: str, job_id: str) -> dict[str, Any]:
    """The body of a request that succeeds, as keyword arguments."""
    if name in (*CREATES, "validate_job"):
        return {"json": create_body(server, job_id)}
    return {"json": {"options": {"labels": {"changed": "yes"}}}} if name == "change_job" else {}


def with_two_versions(server: Installation, job_id: str) -> None:
    assert server.http.put(server.base, json=create_body(server, job_id)).status_code == 201
    assert server.change(job_id, options={"labels": {"version": "two"}}).status_code == 200


@pytest.mark.parametrize("name", OPERATIONS)
def test_success(server: Installation, name: str) -> None:
    job_id = f"well-{name}"
    if name not in (*CREATES, "validate_job"):
        with_two_versions(server, job_id)
    answer = ask(server, name, job_id, **body_of(server, name, job_id))
    expected = 201 if name in CREATES else 204 if name == "delete_job" else 200
    assert answer.status_code == expected, answer.text


@pytest.mark.parametrize("name", answering(202))
def test_on_record(server: Installation, name: str) -> None:
    """Of a change and a rollback only when an engine is due."""
    job_id = f"soon-{name}"
    request = body_of(server, name, job_id) | LATER
    if name in ("change_job", "rollback"):
        assert server.http.put(server.base, json=create_body(server, job_id)).status_code == 201
        assert server.change(job_id, job_graph=echo_flow(server.flow_port, "/other")).status_code == 200
        request |= {"json": {"job_graph": echo_flow(server.flow_port, "/third")}} if name == "change_job" else {}
    elif name not in CREATES:
        with_two_versions(server, job_id)
    if name == "start":
        assert server.http.post(f"{server.base}/{job_id}/stop").status_code == 200
    answer = ask(server, name, job_id, **request)
    assert (answer.status_code, answer.json()["job_id"]) == (202, job_id), answer.text


@pytest.mark.parametrize("name", CREATES)
def test_a_dry_run(server: Installation, name: str) -> None:
    answer = ask(server, name, "", json=create_body(server, f"dry-{name}"), params={"dry_run": "true"})
    assert answer.status_code == 200


@pytest.mark.parametrize("name", answering(400))
def test_malformed(server: Installation, name: str) -> None:
    assert_error(ask(server, name, "nobody", **MALFORMED.get(name, {"params": {"x": "x"}})), 400)


@pytest.mark.parametrize("name", answering(404))
def test_no_such_job(server: Installation, name: str) -> None:
    answer = ask(server, name, "nobody", **body_of(server, name, "nobody"))
    assert_error(answer, 404)
    assert answer.json()["error_code"] == "MODELBOX_002"


@pytest.mark.parametrize("name", answering(413))
def test_a_head_that_is_too_large(server: Installation, name: str) -> None:
    assert_error(ask(server, name, "nobody", params={"x": "x" * 10_000}), 413)


def assert_error(answer: httpx.Response, status: int) -> None:
    assert answer.status_code == status, answer.text
    assert answer.json().keys() >= {"error_code", "error_msg"}


def test_without_the_database(server: Installation, postgres: Postgres) -> None:
    """The log of a job that there is needs none: its files are found by a copy."""
    with_two_versions(server, "cut-off")
    with closed(server, postgres):
        answers = {
            name: ask(
                server, name, "nobody" if name == "job_log" else "cut-off", **body_of(server, name, "cut-off")
            )
            for name in answering(503)
            if (name, 503) not in OF_SOME
        }
    wrong = {name: answer.status_code for name, answer in answers.items() if answer.status_code != 503}
    assert wrong == {}


def test_every_other_answer_is_seen_elsewhere() -> None:
    here = {200, 201, 202, 204, 400, 404, 413, 503}
    described = {status for _, _, statuses in OPERATIONS.values() for status in statuses}
    assert described == here | ELSEWHERE.keys()
    assert all(status in OPERATIONS[name][2] for name, status in OF_SOME)
    for test in (*ELSEWHERE.values(), *OF_SOME.values()):
        module, _, function = test.partition("::")
        tree = ast.parse((Path(__file__).parent / module).read_text())
        assert function in {
            node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
