"""Logs over a real socket: of jobs that run, flood, crash, are gone; to clients that follow, leave, are stuck."""

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.talker import Follower, talker
from tests.installation import Installation, echo_flow, free_port
from tests.processes import processes_of

FILE_BYTES = 64 * 1024
COUNT = """
    import time
    for n in range({lines}):
        print(f"{{n:099d}}")
        if n % 20 == 0:
            time.sleep(0.02)
    print("the end")
    time.sleep(1000)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with Installation(tmp_path_factory.mktemp("logs") / "state") as installation:
        installation.environ |= {"MODELBOX_LOG_FILE_BYTES": str(FILE_BYTES), "MODELBOX_LOG_FILES": "100"}
        yield installation.start()


def log_of(server: Installation, job_id: str, **query: Any) -> str:
    answer = server.http.get(f"{server.base}/{job_id}/log", params=query)
    assert answer.status_code == 200, answer.text
    return answer.text


def wait_until(true: Callable[[], bool], timeout: float = 20) -> None:
    deadline = time.monotonic() + timeout
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def create(server: Installation, job_id: str, tmp_path: Path, code: str) -> int:
    port = free_port()
    answer = server.create(job_id, talker(tmp_path, port, code))
    assert answer.status_code == 201, answer.text
    return port


def test_what_units_log_and_print(server: Installation, tmp_path: Path) -> None:
    code = """
        print("printed")
        modelbox.error("an", "error\\nof two lines")
        import os
        os.write(2, b"bytes \\xff\\x1b]0;x\\n")
    """
    port = create(server, "talks", tmp_path, code)
    httpx.post(f"http://127.0.0.1:{port}/v1/x", content=b"x", trust_env=False, timeout=10)
    wait_until(lambda: "bytes" in log_of(server, "talks"))
    answer = server.http.get(f"{server.base}/talks/log")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    lines = answer.text.splitlines()
    assert "engine: attempt 1 of job talks" in lines[0]
    assert "printed" in lines
    assert "bytes \\xff\\x1b]0;x" in lines
    assert log_of(server, "talks", tail=2).splitlines() == lines[-2:]
    (warning,) = [line for line in log_of(server, "talks", level="warn").splitlines() if "WARN" in line]
    assert warning.endswith(" WARN [talker] talker.py:13 process: called")
    errors = log_of(server, "talks", level="error").splitlines()
    assert [line.partition(" ERROR ")[2] or line for line in errors] == [
        "<string>:3 <module>: an, error",
        "\tof two lines",
    ]
    assert log_of(server, "talks", level="warn", tail=1, since="1h") == warning + "\n"
    assert log_of(server, "talks", since="2100-01-01T00:00:00Z") == ""
    (entry,) = server.http.get(
        f"{server.base}/talks/log?tail=1&level=warn", headers={"Accept": "application/x-ndjson"}
    ).text.splitlines()
    assert '"level":"warn","node":"talker","text":"talker.py:13 process: called"' in entry


def test_refusals(server: Installation, tmp_path: Path) -> None:
    create(server, "plain", tmp_path, "")
    path = f"{server.base}/plain/log"
    for query in ("attempt=0", "attempt=2", "tail=-1", "tail=x", "level=loud", "since=x", "follow=maybe", "x=1"):
        answer = server.http.get(f"{path}?{query}")
        assert (answer.status_code, answer.json()["detail"]["field"]) == (400, query.partition("=")[0])
    for query in ("after=x", "after=1-1.1.0&tail=1", "incarnation=x", "format=xml"):
        assert server.http.get(f"{path}?{query}").status_code == 400
    assert server.http.get(f"{server.base}/nobody/log").status_code == 404
    head = server.http.head(path)
    assert (head.status_code, head.content) == (200, b"")


def test_a_deleted_jobs_log_is_kept_and_told_from_that_of_the_next(server: Installation, tmp_path: Path) -> None:
    for word in ("former", "latter"):
        create(server, "twice", tmp_path, f"print('{word}')")
        wait_until(lambda word=word: word in log_of(server, "twice"))  # type: ignore[misc]
        assert server.delete("twice").status_code == 204
        assert word in log_of(server, "twice")
    assert "former" not in log_of(server, "twice")
    assert "former" in log_of(server, "twice", incarnation=1, attempt=1)
    assert "stopped" in log_of(server, "twice", tail=1)
    assert log_of(server, "twice", level="notice").endswith(" NOTICE [talker] talker.py:18 close: closed\n")
    assert log_of(server, "twice", level="notice", tail=1) == log_of(server, "twice", level="notice")


def test_a_job_without_a_log_has_an_empty_one(server: Installation) -> None:
    graph = echo_flow(free_port())
    assert server.create("removed", graph).status_code == 201
    assert server.delete("removed").status_code == 204
    for path in (server.state_dir / "logs" / "jobs" / "removed").iterdir():
        path.unlink()
    assert log_of(server, "removed") == ""


def test_following_over_files_that_are_full_and_kill_nine_of_the_server(
    server: Installation, tmp_path: Path
) -> None:
    create(server, "counts", tmp_path, COUNT.format(lines=4000))
    with Follower(server, "counts") as follower:
        wait_until(lambda: len(follower.numbers) > 500)
        server.kill_server()
        server.start()
        wait_until(lambda: "the end" in follower.texts, 60)
        assert follower.numbers == list(range(4000))
        assert follower.connections > 1
        assert {entry["place"].split(".")[1] for entry in follower.entries} >= {"1", "4"}
    assert server.delete("counts").status_code in (202, 204)


def test_following_over_kill_nine_of_the_engine(server: Installation, tmp_path: Path) -> None:
    create(server, "dies", tmp_path, "print('begun'); import time; time.sleep(1000)")
    with Follower(server, "dies") as follower, Follower(server, "dies", attempt="1") as of_one:
        for attempt in (1, 2):
            wait_until(lambda attempt=attempt: follower.texts.count("begun") == attempt)  # type: ignore[misc]
            (pid,) = server.engines()["dies"]
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: follower.texts.count("begun") == 3)
        assert [entry["attempt"] for entry in follower.entries if entry["text"] == "begun"] == [1, 2, 3]
        assert {entry["attempt"] for entry in of_one.entries} == {1}
    assert "begun" in log_of(server, "dies", attempt=2)
    assert server.delete("dies").status_code in (202, 204)


def test_a_client_that_is_stuck_or_gone_hurts_nobody(server: Installation, tmp_path: Path) -> None:
    code = """
        import os
        block = (b"y" * 99 + b"\\n") * 600
        while True:
            os.write(1, block)
    """
    create(server, "floods", tmp_path, code)
    (api,) = [pid for pid, title in processes_of(server.state_dir).items() if " api " in title]
    before = memory_of(api)
    clients = [stuck_follower(server, "floods") for _ in range(20)]
    try:
        time.sleep(1)
        assert server.word("floods") == "RUNNING"
        # a piece for each, and what the socket takes
        assert memory_of(api) - before < 40_000_000
    finally:
        descriptors = len(os.listdir(f"/proc/{api}/fd"))
        for client in clients:
            client.close()
    wait_until(lambda: len(os.listdir(f"/proc/{api}/fd")) <= descriptors - len(clients) + 2)
    assert sum(path.stat().st_size for path in (server.state_dir / "logs/jobs/floods").iterdir()) < 100_000_000
    assert server.delete("floods").status_code in (202, 204)


def stuck_follower(server: Installation, job_id: str) -> socket.socket:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", server.port))
    client.sendall(f"GET {server.base}/{job_id}/log?follow=true HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert client.recv(12) == b"HTTP/1.1 200"
    return client


def memory_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_old_logs_are_removed_when_a_runner_looks(tmp_path: Path) -> None:
    with Installation(tmp_path / "state") as server:
        server.environ["MODELBOX_LOG_MAX_AGE_DELETED"] = "0.001"
        server.start()
        for job_id in ("gone", "stays"):
            assert server.create(job_id, echo_flow(free_port())).status_code == 201
        assert server.delete("gone").status_code == 204
        (runner,) = [pid for pid, title in server.processes().items() if " runner " in title]
        os.kill(runner, signal.SIGKILL)
        jobs = server.state_dir / "logs" / "jobs"
        wait_until(lambda: sorted(path.name for path in jobs.iterdir()) == ["stays"])
        assert log_of(server, "gone") == ""
        assert "ready" in log_of(server, "stays")
