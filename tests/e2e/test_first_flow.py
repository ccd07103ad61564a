"""The whole path: a client PUTs a flow, it serves, it is deleted, on both databases."""

import signal
import socket

import httpx
import pytest

from tests.installation import Installation, bad_flow, echo_flow, free_port


def ask(port: int, path: str = "/example", body: bytes = b"hello") -> httpx.Response:
    return httpx.post(f"http://127.0.0.1:{port}{path}", content=body, timeout=10, trust_env=False)


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_create_use_and_delete(installation: Installation) -> None:
    installation.start()
    port = free_port()

    created = installation.create("flow-example", echo_flow(port))
    assert (created.status_code, created.content) == (201, b"")
    assert created.headers["location"] == "/v1/modelbox/job/flow-example"
    expected = {"job_error_msg": "", "job_id": "flow-example", "job_status": "RUNNING"}
    assert installation.status("flow-example").json() == expected
    assert installation.http.get("/v1/modelbox/job/list/all").json() == {"job_list": [expected]}

    echoed = ask(port)
    assert (echoed.status_code, echoed.content) == (200, b"hello")
    assert installation.create("flow-example", echo_flow(port)).json()["error_code"] == "MODELBOX_005"

    deleted = installation.delete("flow-example")
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert installation.status("flow-example").status_code == 404
    assert installation.list_all() == {}
    assert installation.engines() == {}
    assert not is_listening(port)
    assert installation.run("db", "verify").returncode == 0


def test_the_id_and_the_port_are_free_after_delete(installation: Installation) -> None:
    installation.start()
    port = free_port()
    for _ in range(3):
        assert installation.create("again", echo_flow(port)).status_code == 201
        assert ask(port).content == b"hello"
        assert installation.delete("again").status_code == 204


def test_post_and_toml(installation: Installation) -> None:
    installation.start()
    port = free_port()
    dot = "\n".join(echo_flow(port)["graph"]["graphconf"]).replace("\\", "\\\\")
    toml = f"[graph]\nformat = 'graphviz'\ngraphconf = '''{dot}'''\n"
    answer = installation.http.post(f"{installation.base}/any/more", json={"job_id": "tt", "job_graph": toml})
    assert answer.status_code == 201, answer.text
    assert ask(port).content == b"hello"


def test_two_jobs_share_a_port_on_different_paths(installation: Installation) -> None:
    installation.start()
    port = free_port()
    assert installation.create("one", echo_flow(port, "/one")).status_code == 201
    assert installation.create("two", echo_flow(port, "/two")).status_code == 201
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        for _ in range(10):
            assert client.post("/one", content=b"1").content == b"1"
            assert client.post("/two", content=b"2").content == b"2"
        assert client.post("/three").status_code == 404
    taken = installation.create("three", echo_flow(port, "/one"))
    assert taken.status_code == 400
    assert taken.json()["error_code"] == "MODELBOX_008"
    assert "one" in taken.json()["error_msg"]

    assert installation.delete("one").status_code == 204
    assert ask(port, "/two").content == b"hello"
    assert ask(port, "/one").status_code == 404


def test_a_graph_that_cannot_be_built_leaves_a_failed_job(installation: Installation) -> None:
    installation.start()
    refused = installation.create("bad", bad_flow())
    assert refused.status_code == 400
    error = refused.json()
    assert error["error_code"] == "MODELBOX_008"
    start, _, why = error["error_msg"].partition("job config is invalid, ")
    assert start == "request invalid, "
    assert why.startswith("Not found, build graph failed, please check graph config. -> ")
    status = installation.status("bad").json()
    told = {"job_error_msg": why, "job_id": "bad", "job_status": "FAILED", "failures": 1, "next_retry": None}
    assert told.items() <= status.items()
    assert status["last_exit"]["message"] == why
    assert installation.create("bad", bad_flow()).json()["error_code"] == "MODELBOX_005"
    assert installation.delete("bad").status_code == 204
    assert installation.create("bad", echo_flow(free_port())).status_code == 201


def test_a_port_that_another_program_holds(installation: Installation) -> None:
    installation.start()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = installation.create("tt", echo_flow(port))
    assert refused.json()["error_code"] == "MODELBOX_008"
    assert f"127.0.0.1:{port}" in refused.json()["error_msg"]


def test_prefer_respond_async(installation: Installation) -> None:
    installation.start()
    port = free_port()
    accepted = installation.http.put(
        installation.base,
        json={"job_id": "later", "job_graph": echo_flow(port)},
        headers={"Prefer": "respond-async"},
    )
    assert accepted.status_code == 202
    assert accepted.json()["job_status"] in ("PENDING", "CREATEING", "RUNNING")
    assert accepted.headers["preference-applied"] == "respond-async"
    installation.wait_for("later", "RUNNING")
    assert ask(port).content == b"hello"


@pytest.mark.parametrize(("signum", "engines_stay"), [(signal.SIGTERM, True), (signal.SIGINT, False)])
def test_what_a_signal_leaves_behind(installation: Installation, signum: int, engines_stay: bool) -> None:
    installation.start()
    port = free_port()
    assert installation.create("stays", echo_flow(port)).status_code == 201
    before = installation.engines()
    assert installation.stop(signum) == 0
    assert installation.engines() == (before if engines_stay else {})
    if engines_stay:
        assert ask(port).content == b"hello"
    else:
        assert installation.processes() == {}
    installation.start()
    installation.wait_for("stays", "RUNNING")
    assert ask(port).content == b"hello"
    if engines_stay:
        assert installation.engines() == before


def test_a_failed_create_leaves_its_port_free(installation: Installation) -> None:
    """The endpoint is claimed before the other unit refuses to open; nothing of that may stay."""
    installation.start()
    port = free_port()
    refused = echo_flow(port)
    refused["graph"]["graphconf"][2] = refused["graph"]["graphconf"][2].replace("]", ", content_type=no_such]")
    for n in range(5):
        answer = installation.create(f"bad-{n}", refused)
        assert answer.json()["error_code"] == "MODELBOX_008", answer.text
        assert not is_listening(port)
        good = installation.create(f"good-{n}", echo_flow(port))
        assert good.status_code == 201, good.text
        assert installation.delete(f"good-{n}").status_code == 204


def test_the_flow_section_of_the_configuration_holds_for_jobs(sqlite_installation: Installation) -> None:
    installation = sqlite_installation
    conf = installation.state_dir.with_suffix(".toml")
    conf.write_text("[flow]\nmax_request_bytes = 10\nmax_header_bytes = 2000\nrequest_seconds = 0.3\n")
    installation.options += ["--conf", str(conf)]
    installation.start()
    port = free_port()
    assert installation.create("small", echo_flow(port)).status_code == 201
    assert ask(port, body=b"12345678901").status_code == 413
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(b"GET / HTTP/1.1\r\nX: " + b"y" * 3000 + b"\r\n\r\n")
        assert b" 431 " in client.recv(1000)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(b"GET / HTTP/1.1\r\n")
        assert b" 408 " in client.recv(1000)
