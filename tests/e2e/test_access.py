"""Who comes in, and to what: every endpoint with every role, and tokens that are none."""

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from server.api.endpoints import ENDPOINTS
from server.api.modelbox import DESCRIBED
from server.api.rights import Need, Right
from server.jobs.access import Role
from tests.e2e.access import (
    REQUIRED,
    bearer,
    client_of,
    error_of,
    make_token,
    make_token_by_command,
    revoke,
    until,
    until_over,
)
from tests.installation import Installation, bad_flow
from tests.parts import Parts
from tests.postgres import Postgres

USES = sorted({(one.method, one.path): one.need for one in [*DESCRIBED, *ENDPOINTS]}.items())
REFUSED = (401, 403)
NOBODY = (401, "MODELBOX_010")
NOT_ALLOWED = (403, "MODELBOX_011")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with Installation(tmp_path_factory.mktemp("access") / "state") as installation:
        installation.environ = dict(REQUIRED)
        installation.start()
        yield installation


@pytest.fixture(scope="module")
def clients(server: Installation) -> Iterator[dict[Role, httpx.Client]]:
    clients = {role: client_of(server, make_token(server, f"the-{role}", role)) for role in Role}
    yield clients
    for client in clients.values():
        client.close()


def ask(client: httpx.Client, method: str, path: str) -> httpx.Response:
    """With nothing in the body, so that nothing comes of it."""
    return client.request(method, path.replace("{job_id}", "nobody"))


@pytest.mark.parametrize(
    ("use", "need"), USES, ids=lambda value: " ".join(value) if isinstance(value, tuple) else ""
)
def test_every_endpoint_with_every_role(
    server: Installation, clients: dict[Role, httpx.Client], use: tuple[str, str], need: Need
) -> None:
    without = ask(server.http, *use)
    if need.right is Right.OPEN:
        assert without.status_code not in REFUSED
        assert ask(clients[Role.READ], *use).status_code not in REFUSED
        return
    assert error_of(without) == NOBODY
    assert without.headers["WWW-Authenticate"].startswith("Bearer")
    for role, client in clients.items():
        answer = ask(client, *use)
        if role.includes(Role(need.right)):
            assert answer.status_code not in REFUSED, answer.text
        else:
            assert error_of(answer) == NOT_ALLOWED
            assert f"token:the-{role} has the role {role}" in answer.json()["error_msg"]


def test_what_is_nowhere_is_told_only_to_who_may_read(
    server: Installation, clients: dict[Role, httpx.Client]
) -> None:
    for method, path in (("GET", "/nowhere"), ("PATCH", "/health/live/x"), ("GET", "/v1/modelbox/job")):
        assert error_of(server.http.request(method, path)) == NOBODY
        assert clients[Role.READ].request(method, path).status_code == 404
    assert server.http.head("/v1/modelbox/job/list/all").status_code == 401
    assert clients[Role.READ].head("/v1/modelbox/job/list/all").status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer mbx_",
        "Bearer garbage",
        f"Bearer mbx_12345678_{'x' * 40}",
        f"Bearer {'x' * 5000}",
        "Bearer \x01\x02",
        "Basic bWU6c2VjcmV0",
        "mbx_12345678_",
        "",
    ],
)
def test_what_is_no_token_is_refused(server: Installation, header: str) -> None:
    answer = server.http.get("/v1/modelbox/job/list/all", headers={"Authorization": header})
    assert error_of(answer) == NOBODY


def test_a_token_of_which_only_the_secret_is_wrong_is_refused(server: Installation) -> None:
    token = make_token(server, "nearly", "read")
    wrong = token[:-1] + ("a" if token[-1] != "a" else "b")
    answer = server.http.get("/v1/modelbox/job/list/all", headers=bearer(wrong))
    assert error_of(answer) == NOBODY
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    assert wrong not in answer.text
    two = [("Authorization", f"Bearer {token}"), ("Authorization", f"Bearer {token}")]
    assert error_of(server.http.get("/v1/modelbox/job/list/all", headers=two)) == NOBODY


def test_the_scheme_may_be_written_as_one_likes(server: Installation) -> None:
    token = make_token(server, "lower", "read")
    headers = {"Authorization": f"bearer  {token}"}
    assert server.http.get("/v1/modelbox/job/list/all", headers=headers).status_code == 200


def test_a_token_expires(server: Installation) -> None:
    at = datetime.now(UTC) + timedelta(seconds=1)
    token = make_token(server, "short", "read", expires=at)
    assert server.http.get("/version", headers=bearer(token)).status_code == 200
    until_over(at)
    answer = server.http.get("/version", headers=bearer(token))
    assert error_of(answer) == NOBODY
    assert "token 'short' has expired" in answer.json()["error_msg"]


def test_a_revoked_token_counts_no_more_and_its_streams_end(server: Installation) -> None:
    token = make_token(server, "gone", "read")
    with client_of(server, token) as client:
        assert client.get("/version").status_code == 200
        headers = {"Accept": "text/event-stream"}
        with client.stream("GET", "/v1/modelbox/events", headers=headers) as events:
            pieces = events.iter_raw()
            assert b"retry" in next(pieces)
            revoke(server, "gone")
            with pytest.raises(httpx.RemoteProtocolError):
                for _ in pieces:
                    pass
        until(lambda: client.get("/version").status_code == 401)
        assert "no such token, or it was revoked" in client.get("/version").json()["error_msg"]


def test_a_long_poll_of_a_revoked_token_learns_nothing(server: Installation) -> None:
    token = make_token(server, "waits", "read")
    head = server.http.get("/v1/modelbox/events", headers=bearer(token)).json()["head"]
    command = ["curl", "-s", "-m", "30", "-H", f"Authorization: Bearer {token}"]
    url = f"http://127.0.0.1:{server.port}/v1/modelbox/events?after={head}&wait=25"
    with subprocess.Popen([*command, url], stdout=subprocess.PIPE) as waiting:
        revoke(server, "waits")
        out, _ = waiting.communicate(timeout=30)
    assert out == b""
    assert waiting.returncode != 28  # curl's own time-out


def test_who_asked_is_in_the_history(server: Installation, clients: dict[Role, httpx.Client]) -> None:
    client = clients[Role.OPERATE]
    body = {"job_id": "by-token", "job_graph": bad_flow()}
    assert client.put(server.base, json=body).status_code == 400
    assert client.delete(f"{server.base}/by-token").status_code == 204
    events = client.get(f"{server.base}/by-token/history").json()["events"]
    actors = {event["type"]: event["actor"] for event in events}
    assert actors["job-created"] == actors["delete-requested"] == "token:the-operate@127.0.0.1"


def test_an_admin_sees_all_tokens_and_no_secret(server: Installation, clients: dict[Role, httpx.Client]) -> None:
    token = make_token_by_command(server, "listed", "operate", "--label", "team=a", "--expires", "90d")
    listed = {one["name"]: one for one in clients[Role.ADMIN].get("/v1/modelbox/tokens").json()["tokens"]}
    row = listed["listed"]
    assert (row["role"], row["labels"], row["state"]) == ("operate", {"team": "a"}, "valid")
    assert token.startswith(row["token"].rstrip("…"))
    assert token.rpartition("_")[2] not in str(listed)
    shown = server.run("token", "list").stdout
    assert "listed" in shown
    assert token.rpartition("_")[2] not in shown


def test_no_secret_is_logged(server: Installation) -> None:
    token = make_token(server, "quiet", "operate")
    headers = bearer(token)
    for path in (
        "/version",
        f"/version?token={token}",
        f"/v1/modelbox/job/{'x' * 300}",
        "/v1/modelbox/events?after=x",
    ):
        server.http.get(path, headers=headers)
    server.http.put(server.base, content=b"{", headers=headers)
    secret = token.rpartition("_")[2].encode()
    assert secret not in server.output().encode()
    assert "Traceback" not in server.output()
    for file in server.state_dir.rglob("*"):
        assert not (file.is_file() and secret in file.read_bytes()), file


def test_in_the_open_a_token_counts_all_the_same(tmp_path_factory: pytest.TempPathFactory) -> None:
    with Installation(tmp_path_factory.mktemp("open") / "state") as server:
        server.start()
        reads = bearer(make_token(server, "reads", "read"))
        assert server.http.delete(f"{server.base}/nobody").status_code == 404
        assert error_of(server.http.delete(f"{server.base}/nobody", headers=reads)) == NOT_ALLOWED
        assert server.http.get("/version", headers=reads).status_code == 200
        assert error_of(server.http.get("/version", headers=bearer("garbage"))) == NOBODY
        # what a proxy in front asks for is no matter of ours
        assert server.http.get("/version", headers={"Authorization": "Basic bWU6c2VjcmV0"}).status_code == 200


def test_two_apis_know_the_same_tokens(parts_required: tuple[Installation, httpx.Client, httpx.Client]) -> None:
    server, one, two = parts_required
    token = bearer(make_token(server, "both", "read"))
    assert [api.get("/version", headers=token).status_code for api in (one, two)] == [200, 200]
    revoke(server, "both")
    for api in (one, two):
        until(lambda api=api: api.get("/version", headers=token).status_code == 401)


@pytest.fixture
def parts_required(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Installation, httpx.Client, httpx.Client]]:
    monkeypatch.setenv("MODELBOX_ACCESS_TOKENS", "required")
    with Installation(tmp_path / "state", postgres.new_database()) as installation:
        parts = Parts(installation)
        yield installation, parts.api(""), parts.api("")
        parts.end()
