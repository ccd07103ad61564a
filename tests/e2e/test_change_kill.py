"""kill -9 at changes half done: nothing is refused, lost or done twice, and the versions are consistent."""

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from server.failpoints import VARIABLE, Action, Failpoint, arm, has_fired
from tests.e2e.test_change import PATH, SAYS, said
from tests.flow.unitapi.folders import chain, write_unit
from tests.hammer import hammering
from tests.installation import Installation, free_port

OF_RUNNER = [
    Failpoint.RUNNER_SUCCESSOR_STARTED,
    Failpoint.RUNNER_BEFORE_SWITCH,
    Failpoint.RUNNER_SWITCHED,
    Failpoint.RUNNER_GAVE_WAY,
    Failpoint.RUNNER_PROMOTED,
]


@pytest.fixture(scope="module")
def armoury(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("failpoints")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, armoury: Path) -> Iterator[Installation]:
    installation = Installation(tmp_path_factory.mktemp("kill") / "state")
    installation.environ[VARIABLE] = str(armoury)
    with installation as server:
        yield server.start()


@pytest.fixture(scope="module")
def units(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_unit(tmp_path_factory.mktemp("units") / "says", "says", SAYS).parent


@pytest.fixture(scope="module")
def port(server: Installation, units: Path) -> int:
    """Of the job `kept`, which says the number of its version."""
    port = free_port()
    assert server.create("kept", chain(port, units, "says", word="1")).status_code == 201
    return port


def version_of(server: Installation) -> int:
    return int(server.status("kept").json().get("version", 1))


def wait_until_settled(server: Installation) -> None:
    """Until its change is over, one way or the other, and it has one engine that runs."""
    deadline = time.monotonic() + 20
    while True:
        status = server.status("kept").json()
        is_settled = status["job_status"] == "RUNNING" and "change" not in status
        if is_settled and len(server.engines().get("kept", ())) == 1:
            return
        assert time.monotonic() < deadline, f"{status} {server.engines()}\n{server.output()[-3000:]}"
        time.sleep(0.02)


@pytest.mark.parametrize("point", OF_RUNNER)
def test_the_runner_dies(server: Installation, armoury: Path, units: Path, port: int, point: Failpoint) -> None:
    wanted = version_of(server) + 1
    arm(armoury, point, Action.CRASH)
    with hammering(port, PATH) as hammer:
        changed = server.change("kept", job_graph=chain(port, units, "says", word=str(wanted)))
        assert has_fired(armoury, point)
        assert changed.status_code == 200, changed.text
        assert said(port) == str(wanted)
        wait_until_settled(server)
    assert hammer.wrong == []
    assert version_of(server) == wanted
    (armoury / f"{point}.fired").unlink()


@pytest.mark.parametrize("point", [Failpoint.RUNNER_BEFORE_SWITCH, Failpoint.RUNNER_SWITCHED])
def test_the_whole_server_dies(
    server: Installation, armoury: Path, units: Path, port: int, point: Failpoint
) -> None:
    """The runner waits in the middle of a change while everything but the engines and their host is killed."""
    wanted = version_of(server) + 1
    arm(armoury, point, Action.DELAY)
    with hammering(port, PATH) as hammer:
        graph = chain(port, units, "says", word=str(wanted))
        url = f"http://127.0.0.1:{server.port}{server.base}/kept"
        asked = threading.Thread(target=_ask, args=(url, graph))
        asked.start()
        deadline = time.monotonic() + 10
        while not has_fired(armoury, point):
            assert time.monotonic() < deadline
            time.sleep(0.005)
        server.kill_server()
        asked.join()
        server.start()
        wait_until_settled(server)
        assert said(port) == str(wanted)
    assert hammer.wrong == []
    assert version_of(server) == wanted
    (armoury / f"{point}.fired").unlink()


def _ask(url: str, graph: dict[str, object]) -> None:
    with suppress(httpx.TransportError):  # the server is killed meanwhile
        httpx.patch(url, json={"job_graph": graph}, timeout=30, trust_env=False)


def test_the_host_dies(server: Installation, armoury: Path, units: Path, port: int) -> None:
    """Just before the fork of the successor: another host starts it, with the listening sockets of the engine."""
    wanted = version_of(server) + 1
    arm(armoury, Failpoint.HOST_BEFORE_FORK, Action.CRASH)
    with hammering(port, PATH) as hammer:
        changed = server.change("kept", job_graph=chain(port, units, "says", word=str(wanted)))
        assert changed.status_code == 200, changed.text
        assert said(port) == str(wanted)
    assert hammer.wrong == []
    (armoury / f"{Failpoint.HOST_BEFORE_FORK}.fired").unlink()


@pytest.mark.parametrize("point", [Failpoint.ENGINE_BORN, Failpoint.ENGINE_OPENED])
def test_the_successor_dies_before_it_takes_over(
    server: Installation, armoury: Path, units: Path, port: int, point: Failpoint
) -> None:
    before = version_of(server)
    arm(armoury, point, Action.CRASH)
    with hammering(port, PATH) as hammer:
        refused = server.change("kept", job_graph=chain(port, units, "says", word="never"))
        assert refused.status_code == 400
        assert "signal 9" in refused.json()["error_msg"]
        wait_until_settled(server)
        assert said(port) != "never"
    assert hammer.wrong == []
    assert b"never" not in hammer.answers
    assert version_of(server) == before
    (armoury / f"{point}.fired").unlink()


def test_the_successor_dies_as_it_takes_over(server: Installation, armoury: Path, units: Path, port: int) -> None:
    """It is the job's engine already: it is tried again, and clients wait for it."""
    newest = server.http.get(f"{server.base}/kept/versions", params={"limit": 1}).json()["versions"][0]["version"]
    wanted = newest + 1
    arm(armoury, Failpoint.ENGINE_PROMOTED, Action.CRASH)
    changed = server.change("kept", job_graph=chain(port, units, "says", word=str(wanted)))
    assert changed.status_code == 200, changed.text
    assert (said(port), version_of(server)) == (str(wanted), wanted)
    wait_until_settled(server)
    (armoury / f"{Failpoint.ENGINE_PROMOTED}.fired").unlink()


def test_everything_dies_and_the_new_version_comes_back(
    server: Installation, armoury: Path, units: Path, port: int
) -> None:
    newest = server.http.get(f"{server.base}/kept/versions", params={"limit": 1}).json()["versions"][0]["version"]
    wanted = newest + 1
    assert server.change("kept", job_graph=chain(port, units, "says", word=str(wanted))).status_code == 200
    server.kill_everything()
    server.start()
    wait_until_settled(server)
    assert (said(port), version_of(server)) == (str(wanted), wanted)
