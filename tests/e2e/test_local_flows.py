"""Local flows at boot: files that are jobs (spec 8.2)."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.test_first_flow import ask
from tests.installation import Installation, echo_flow, free_port


@pytest.fixture
def flows(tmp_path: Path) -> Path:
    folder = tmp_path / "flows"
    folder.mkdir()
    return folder


@pytest.fixture
def server(tmp_path: Path, flows: Path) -> Iterator[Installation]:
    with Installation(tmp_path / "state", None, "--flow-path", str(flows)) as installation:
        yield installation


def write(flows: Path, name: str, path: str = "/example") -> int:
    port = free_port()
    (flows / name).write_text(json.dumps(echo_flow(port, path)))
    return port


def restart(server: Installation) -> None:
    server.stop()
    server.start()


def test_every_file_is_a_job(server: Installation, flows: Path) -> None:
    port = write(flows, "a.json")
    dot = "\n".join(echo_flow(free_port())["graph"]["graphconf"])
    (flows / "b.toml").write_text(f"[graph]\nformat = 'graphviz'\ngraphconf = '''{dot}'''\n")
    write(flows, "no-extension")
    write(flows, "x DISABLED_flow.json")
    write(flows, ".hidden.json")
    (flows / "folder").mkdir()
    write(flows / "folder", "inner.json")
    (flows / "bad.toml").write_text("this is [ no toml")
    (flows / "binary").write_bytes(bytes(range(256)))
    (flows / "empty.json").write_bytes(b"")
    server.start()

    for name in ("a.json", "b.toml", "no-extension"):
        server.wait_for(name, "RUNNING")
    for name in ("bad.toml", "binary", "empty.json"):
        server.wait_for(name, "FAILED")
        assert server.list_all()[name]["job_error_msg"]
    assert len(server.list_all()) == 6
    assert ask(port).content == b"hello"
    assert server.create("over-rest", echo_flow(free_port())).status_code == 201


def test_a_restart_changes_nothing(server: Installation, flows: Path) -> None:
    write(flows, "a.json")
    server.start()
    server.wait_for("a.json", "RUNNING")
    engines = server.engines()
    restart(server)
    assert server.word("a.json") == "RUNNING"
    assert server.engines() == engines


def test_deleted_over_rest_stays_deleted_until_the_file_changes(server: Installation, flows: Path) -> None:
    write(flows, "a.json")
    server.start()
    server.wait_for("a.json", "RUNNING")
    assert server.delete("a.json").status_code == 204
    restart(server)
    assert server.word("a.json") == "NOTEXIST"
    write(flows, "a.json", "/changed")
    restart(server)
    server.wait_for("a.json", "RUNNING")
    restart(server)
    server.wait_for("a.json", "RUNNING")


def test_what_clients_did_to_it_holds_until_the_file_changes(server: Installation, flows: Path) -> None:
    for name in ("stopped.json", "patched.json"):
        write(flows, name)
    server.start()
    for name in ("stopped.json", "patched.json"):
        server.wait_for(name, "RUNNING")
    assert server.http.post(f"{server.base}/stopped.json/stop").status_code == 200
    port = free_port()
    patch = {"job_graph": echo_flow(port)}
    assert server.http.patch(f"{server.base}/patched.json", json=patch).status_code == 200
    engines = server.engines()["patched.json"]  # perhaps with the one before it, on its way out
    restart(server)
    assert server.engines().keys() == {"patched.json"}
    assert set(server.engines()["patched.json"]) <= set(engines)
    assert server.word("stopped.json") == "PENDING"
    assert ask(port).content == b"hello"
    for name in ("stopped.json", "patched.json"):
        write(flows, name, "/new")
    restart(server)
    for name in ("stopped.json", "patched.json"):
        server.wait_for(name, "RUNNING")


def test_a_changed_file_replaces_its_job(server: Installation, flows: Path) -> None:
    write(flows, "a.json")
    server.start()
    server.wait_for("a.json", "RUNNING")
    port = write(flows, "a.json", "/new")
    restart(server)
    server.wait_for("a.json", "RUNNING")
    assert ask(port, "/new").content == b"hello"


def test_a_file_that_is_gone_takes_its_job_along(server: Installation, flows: Path) -> None:
    write(flows, "a.json")
    server.start()
    server.wait_for("a.json", "RUNNING")
    (flows / "a.json").unlink()
    restart(server)
    server.wait_for("a.json", "NOTEXIST")
    assert server.engines() == {}


def test_a_job_of_a_client_is_left_alone(server: Installation, flows: Path) -> None:
    server.start()
    assert server.create("mine", echo_flow(free_port())).status_code == 201
    engines = server.engines()
    write(flows, "mine")
    restart(server)
    assert server.word("mine") == "RUNNING"
    assert server.engines() == engines


def test_a_folder_that_is_missing_deletes_nothing(server: Installation, flows: Path) -> None:
    write(flows, "a.json")
    server.start()
    server.wait_for("a.json", "RUNNING")
    flows.rename(flows.with_name("away"))
    restart(server)
    assert server.word("a.json") == "RUNNING"
