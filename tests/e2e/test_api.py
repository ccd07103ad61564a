"""The REST API on the wire, row by row of the spec: codes, wording, odd paths, headers, hostile input."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.installation import Installation, bad_flow, echo_flow, free_port

NO_SUCH_JOB = {"error_code": "MODELBOX_002", "error_msg": "request invalid, no such job"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with Installation(tmp_path_factory.mktemp("api") / "state") as installation:
        yield installation.start()


def raw(server: Installation, request: bytes) -> bytes:
    """What the server answers to these bytes until it closes or is silent for a second."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall(request)
        connection.settimeout(1)
        answer = b""
        try:
            while part := connection.recv(65536):
                answer += part
        except (TimeoutError, ConnectionResetError):
            pass
        return answer


@pytest.mark.parametrize("path", ["/v1/modelbox/job", "/v1/modelbox/job/", "/v1/modelbox/job/none"])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_002_for_an_unknown_id_or_none(server: Installation, method: str, path: str) -> None:
    answer = server.http.request(method, path)
    assert (answer.status_code, answer.json()) == (404, NO_SUCH_JOB)


@pytest.mark.parametrize("path", ["list/", "list/x", "x/y", "/", "list/all/", "//x"])
def test_006_for_an_odd_path(server: Installation, path: str) -> None:
    answer = raw(server, f"GET /v1/modelbox/job/{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error_code"] == "MODELBOX_006"


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/modelbox", "/v1/modelbox/jobsx", "/v1/modelbox/jobx", "/x/y"])
def test_404_outside_the_api(server: Installation, path: str) -> None:
    assert server.http.get(path).status_code == 404


def test_an_unknown_method_is_405(server: Installation) -> None:
    answer = server.http.request("PROPFIND", "/v1/modelbox/job/x")
    assert answer.status_code == 405
    assert {"GET", "PUT", "POST", "PATCH", "DELETE"} <= set(answer.headers["allow"].replace(" ", "").split(","))


def test_list_and_all_are_legal_ids_and_escapes_are_decoded(server: Installation) -> None:
    for job_id in ("list", "all", "a~+-_.b"):
        assert server.create(job_id, echo_flow(free_port())).status_code == 201
    assert server.http.get("/v1/modelbox/job/list").json()["job_id"] == "list"
    assert server.http.get("/v1/modelbox/job/%6cist").json()["job_id"] == "list"
    assert server.http.get("/v1/modelbox/job/a%7E%2B-_.b").json()["job_id"] == "a~+-_.b"
    assert server.http.get("/v1/modelbox/job/all?x=1").json()["job_id"] == "all"
    for job_id in ("list", "all", "a~+-_.b"):
        assert server.delete(job_id).status_code == 204


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("list/all", 200),
        ("nobody", 404),
        ("x/y", 400),
    ],
)
def test_every_answer_carries_the_security_headers(server: Installation, body: str, status: int) -> None:
    answer = server.http.get(f"{server.base}/{body}")
    assert answer.status_code == status
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "strict-origin-when-cross-origin"
    assert answer.headers["content-security-policy"]
    assert answer.headers["content-type"] == "application/json"


def test_json_whatever_the_content_type_says(server: Installation) -> None:
    body = json.dumps({"job_id": "form", "job_graph": echo_flow(free_port())})
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert server.http.put(server.base, content=body, headers=headers).status_code == 201
    assert server.delete("form").status_code == 204


def test_only_008_registers_a_job(server: Installation) -> None:
    for body, code in [
        (b"{", "006"),
        (b"{}", "003"),
        (b'{"job_id": 1}', "001"),
        (b'{"job_id": "reg"}', "004"),
        (b'{"job_id": ".x", "job_graph": {"a": 1}}', "007"),
        (b'{"job_id": "reg", "job_graph": {"a": 1}, "job_graph_format": "yaml"}', "006"),
    ]:
        answer = server.http.put(server.base, content=body)
        assert (answer.status_code, answer.json()["error_code"]) == (400, f"MODELBOX_{code}")
    assert "reg" not in server.list_all()
    assert server.create("reg", bad_flow()).json()["error_code"] == "MODELBOX_008"
    assert server.list_all()["reg"]["job_status"] == "FAILED"
    assert server.delete("reg").status_code == 204


@pytest.mark.parametrize(
    "graph",
    [
        {"graph": {"format": "graphviz", "graphconf": "digraph { a [ }"}},
        {"graph": {"format": "dot", "graphconf": "digraph {}"}},
        {"graph": {"graphconf": "digraph {}"}},
        {"graph": {"format": "graphviz", "graphconf": "digraph {}"}},
        {"graph": {"format": "graphviz"}},
        {"graph": 1},
        {"nothing": "here"},
        "not [ toml",
        "",
        {"graph": {"format": "graphviz", "graphconf": "digraph { a[flowunit=\x00] }"}},
        {"graph": {"format": "graphviz", "graphconf": "digraph {" + "subgraph x {" * 5000 + "}" * 5001}},
    ],
    ids=lambda graph: str(graph)[:60],
)
def test_008_for_a_graph_that_cannot_be_built(server: Installation, graph: Any) -> None:
    answer = server.create("broken", graph)
    assert answer.status_code == 400
    assert answer.json()["error_code"] == "MODELBOX_008"
    assert answer.json()["error_msg"].startswith("request invalid, job config is invalid, ")
    assert server.word("broken") == "FAILED"
    assert server.delete("broken").status_code == 204


def test_a_syntax_error_names_line_and_column(server: Installation) -> None:
    graph = {"graph": {"format": "graphviz", "graphconf": ["digraph {", "  a [flowunit=x", "  b -> c", "}"]}}
    text = server.create("syntax", graph).json()["error_msg"]
    assert "line" in text
    assert "Fault" in text
    assert server.delete("syntax").status_code == 204


def test_too_large_a_body_is_413(tmp_path: Path) -> None:
    conf = tmp_path / "small.toml"
    conf.write_text("[server]\nmax_body_bytes = 1000\n")
    with Installation(tmp_path / "state", None, "--conf", str(conf)).start() as small:
        answer = small.http.put(small.base, content=b"x" * 2000)
        assert answer.status_code == 413
        assert answer.json()["error_code"] == "MODELBOX_006"
        assert small.word("none") == "NOTEXIST"


def test_peers_outside_the_allow_list_get_403(tmp_path: Path) -> None:
    conf = tmp_path / "acl.toml"
    conf.write_text('[acl]\nallow = ["10.0.0.0/8"]\n')
    with Installation(tmp_path / "state", None, "--conf", str(conf)).start() as closed:
        for method in ("GET", "PUT", "DELETE"):
            assert closed.http.request(method, closed.base).status_code == 403


def test_one_connection_serves_many_requests(server: Installation) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        for _ in range(3):
            connection.sendall(b"GET /v1/modelbox/job/none HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = connection.recv(65536)
            assert answer.startswith(b"HTTP/1.1 404 ")
            assert b"keep-alive" in answer.lower()


@pytest.mark.parametrize(
    "request_",
    [
        b"\x16\x03\x01\x02\x00garbage\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"PUT /v1/modelbox/job HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        b"PUT /v1/modelbox/job HTTP/1.1\r\nContent-Length: many\r\n\r\n",
        b"PUT /v1/modelbox/job HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /v1/modelbox/job/\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /v1/modelbox/job/%ff%00 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET http://[/v1/modelbox/job HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
    ids=lambda request_: str(request_[:40]),
)
def test_garbage_gets_a_4xx_or_a_closed_connection(server: Installation, request_: bytes) -> None:
    answer = raw(server, request_)
    assert not answer or answer.startswith(b"HTTP/1.1 4"), answer
    assert b"Traceback" not in answer
    assert server.word("none") == "NOTEXIST"


def test_half_sent_requests_block_nobody(server: Installation) -> None:
    half = b"PUT /v1/modelbox/job HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"
    connections = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(50)]
    try:
        for connection in connections:
            connection.sendall(half)
        assert server.word("none") == "NOTEXIST"
        port = free_port()
        assert server.create("meanwhile", echo_flow(port)).status_code == 201
        assert server.delete("meanwhile").status_code == 204
    finally:
        for connection in connections:
            connection.close()


def test_head_is_get_without_a_body(server: Installation) -> None:
    answer = server.http.head(f"{server.base}/list/all")
    assert (answer.status_code, answer.content) == (200, b"")


def test_the_clients_of_two_creates_of_one_id_get_one_201(server: Installation) -> None:
    graph = echo_flow(free_port())
    with httpx.Client(base_url=server.http.base_url, trust_env=False, timeout=20) as other:
        import threading

        codes: list[int] = []
        body = {"job_id": "race", "job_graph": graph}

        def put(client: httpx.Client) -> None:
            codes.append(client.put(server.base, json=body).status_code)

        threads = [threading.Thread(target=put, args=(client,)) for client in (server.http, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(codes) == [201, 400]
    assert server.delete("race").status_code == 204
