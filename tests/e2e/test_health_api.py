"""Health, version and the description, over a real socket; health while parts of the server are gone."""

import json
import os
import platform
import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from server.api.endpoints import ENDPOINTS, document
from server.store.schema import REVISIONS
from tests.e2e.test_database_faults import Fault, closed, locked
from tests.installation import Installation
from tests.parts import Parts

READY = "/health/ready"
FIXED = [endpoint.path for endpoint in ENDPOINTS if "{" not in endpoint.path and endpoint.method == "GET"]
"""Paths that need nothing to be there."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with Installation(tmp_path_factory.mktemp("health") / "state") as installation:
        yield installation.start()


def wait_until_ready(server: Installation, holds: Callable[[Any], bool]) -> Any:
    deadline = time.monotonic() + 15
    while True:
        answer = server.http.get(READY)
        if answer.status_code == 200 and holds(answer.json()):
            return answer.json()
        assert time.monotonic() < deadline, f"{answer.text}\n{server.output()}"
        time.sleep(0.05)


def test_ready_says_who_leads_and_since_when(installation: Installation) -> None:
    before = datetime.now(UTC)
    body = wait_until_ready(installation.start(), lambda _: True)
    assert (body["status"], body["reasons"]) == ("ready", [])
    assert body["database"] == {"readable": True, "writable": True, "schema": REVISIONS[-1], "position": 1}
    leader = body["leader"]
    assert "runner" in installation.processes()[leader["pid"]]
    assert before <= datetime.fromisoformat(leader["since"]) <= datetime.now(UTC)
    os.kill(leader["pid"], signal.SIGKILL)
    later = wait_until_ready(installation, lambda now: now["leader"]["pid"] != leader["pid"])["leader"]
    assert later["epoch"] == leader["epoch"] + 1
    assert later["since"] > leader["since"]


def test_not_ready_without_a_runner(sqlite_installation: Installation) -> None:
    parts = Parts(sqlite_installation)
    try:
        answer = parts.api("").get(READY)
        assert answer.status_code == 503
        assert answer.json()["status"] == "not ready"
        assert answer.json()["leader"] is None
        assert answer.json()["database"]["writable"]
        assert [reason.partition(":")[0] for reason in answer.json()["reasons"]] == ["no runner leads"]
    finally:
        parts.end()


@pytest.fixture
def fault(installation: Installation, request: pytest.FixtureRequest) -> Fault:
    if installation.database_url is None:
        return lambda: locked(installation)
    postgres = request.getfixturevalue("postgres")
    return lambda: closed(installation, postgres)


def test_not_ready_while_the_database_cannot_be_used(installation: Installation, fault: Fault) -> None:
    wait_until_ready(installation.start(), lambda _: True)
    with fault():
        answer = installation.http.get(READY)
        assert answer.status_code == 503
        assert "database" in answer.json()["reasons"][0]
        assert not answer.json()["database"]["writable"]
        assert installation.http.get("/health/live").json() == {"status": "live"}
    wait_until_ready(installation, lambda _: True)


def test_not_ready_once_the_database_is_deleted(sqlite_installation: Installation) -> None:
    wait_until_ready(sqlite_installation.start(), lambda _: True)
    (sqlite_installation.state_dir / "modelbox.db").unlink()
    answer = sqlite_installation.http.get(READY)
    assert answer.status_code == 503
    assert "deleted under us" in answer.json()["reasons"][0]


def test_version(server: Installation) -> None:
    body = server.http.get("/version").json()
    assert body["program"] == "modelbox-server"
    assert (body["schema"], body["python"], body["modelbox_api"]) == (
        REVISIONS[-1],
        platform.python_version(),
        "v1",
    )


def test_the_description_is_served(server: Installation) -> None:
    assert server.http.get("/openapi.json").json() == json.loads(msgspec.json.encode(document(needs_token=False)))
    page = server.http.get("/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "style-src 'sha256-" in page.headers["content-security-policy"]
    assert page.text.startswith("<!doctype html>")


@pytest.mark.parametrize("path", FIXED)
def test_what_holds_for_every_endpoint_of_ours(server: Installation, path: str) -> None:
    answer = server.http.get(path)
    assert answer.headers["x-frame-options"] == "DENY"
    head = server.http.head(path)
    assert (head.status_code, head.content) == (answer.status_code, b"")
    for method in ("PUT", "POST", "DELETE", "PATCH", "OPTIONS"):
        refused = server.http.request(method, path)
        assert refused.status_code == 405
        assert refused.json()["error_code"] == "MODELBOX_006"
        assert set(refused.headers["allow"].replace(" ", "").split(",")) == {"GET", "HEAD"}
    unknown = server.http.get(path, params={"limmit": "1"})
    assert unknown.status_code == 400
    assert unknown.json()["detail"] == {"field": "limmit"}


def test_a_peer_outside_the_allow_list_gets_none_of_it(tmp_path: Path) -> None:
    conf = tmp_path / "acl.toml"
    conf.write_text('[acl]\nallow = ["10.0.0.0/8"]\n')
    with Installation(tmp_path / "state", None, "--conf", str(conf)).start() as shut:
        for path in FIXED:
            assert shut.http.get(path).status_code == 403


def test_options_are_refused_by_the_place_of_what_is_wrong(server: Installation) -> None:
    answer: httpx.Response = server.create("opt", {"graph": {}}, options={"restart": {"attempts": -1}})
    assert answer.status_code == 400
    assert answer.json()["detail"] == {"field": "options.restart.attempts"}
