"""Watching: nothing lost and nothing twice, over restarts and kill -9; a stuck watcher hurts nobody."""

import asyncio
import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from server.jobs.commands import Context
from server.store import Store, upgrade
from tests.e2e.test_database_faults import closed
from tests.installation import Installation, bad_flow, echo_flow, free_port
from tests.postgres import Postgres
from tests.streams import Watcher

EVENTS = "/v1/modelbox/events"
WATCHERS = 1000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with Installation(tmp_path_factory.mktemp("watch") / "state") as installation:
        yield installation.start()


def watch(server: Installation, path: str = EVENTS, last_id: int | None = None, **params: str) -> Watcher:
    return Watcher(f"http://127.0.0.1:{server.port}{path}", last_id, params)


def head_of(server: Installation) -> int:
    return int(server.http.get(EVENTS, params={"limit": 1}).json()["head"])


def assert_watched_all(server: Installation, watcher: Watcher, after: int) -> None:
    head = head_of(server)
    watcher.wait_for(lambda: watcher.last_id == head)
    assert watcher.positions == list(range(after + 1, head + 1))


def a_life(server: Installation, job_id: str) -> None:
    assert server.create(job_id, echo_flow(free_port())).status_code == 201
    assert server.delete(job_id).status_code == 204


def test_a_stream_begins_now_or_where_it_is_asked_to(server: Installation) -> None:
    a_life(server, "before")
    head = head_of(server)
    with (
        watch(server) as now,
        watch(server, after="0") as whole,
        watch(server, last_id=head - 2, after="0") as back,
    ):
        a_life(server, "seen")
        assert_watched_all(server, now, head)
        assert_watched_all(server, whole, 0)
        assert_watched_all(server, back, head - 2)
        assert now.connections == 1


def test_streams_of_one_job_and_of_some_types(server: Installation) -> None:
    a_life(server, "one")
    with (
        watch(server, "/v1/modelbox/job/one/events") as job,
        watch(server, job="one", type="job-deleted,job-created") as ends,
        watch(server, "/v1/modelbox/job/one/events", after="0") as both_lives,
    ):
        a_life(server, "other")
        a_life(server, "one")
        for watcher in (job, ends, both_lives):
            watcher.wait_for(lambda watcher=watcher: "job-deleted" in watcher.types[-1:])  # type: ignore[misc]
        assert job.types[0] == "job-created"
        assert {entry["job"] for entry in job.entries} == {"one"}
        assert {entry["incarnation"] for entry in job.entries} == {2}
        assert ends.types == ["job-created", "job-deleted"]
        assert [entry["incarnation"] for entry in both_lives.entries] == [1] * 6 + [2] * 6


def test_what_is_streamed_is_what_the_page_says(server: Installation) -> None:
    a_life(server, "same")
    with watch(server, after="0") as watcher:
        assert_watched_all(server, watcher, 0)
        assert watcher.entries == server.http.get(EVENTS, params={"limit": 1000}).json()["events"]


@pytest.mark.parametrize("last_id", ["-1", "x", "1" * 19, "", "1.0"])
def test_a_last_event_id_that_is_none_is_refused(server: Installation, last_id: str) -> None:
    headers = {"Accept": "text/event-stream", "Last-Event-ID": last_id}
    answer = server.http.get(EVENTS, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["detail"] == {"field": "Last-Event-ID"}


def test_a_position_of_another_log_is_refused(server: Installation) -> None:
    headers = {"Accept": "text/event-stream", "Last-Event-ID": str(head_of(server) + 1)}
    answer = server.http.get(EVENTS, headers=headers)
    assert (answer.status_code, answer.json()["detail"]) == (400, {"field": "Last-Event-ID"})
    assert "another log" in answer.json()["error_msg"]


def test_nothing_is_lost_or_twice_when_the_api_is_killed_under_watchers(installation: Installation) -> None:
    server = installation.start()
    head = head_of(server)
    with watch(server) as everything, watch(server, type="job-created,engine-failed") as some:
        for number in range(3):
            created = server.create_async(f"job-{number}", bad_flow())
            assert created.status_code == 202
            kill_api(server)
            assert server.create(f"late-{number}", bad_flow()).status_code == 400
        server.kill_everything()
        server.start()
        for number in range(3):
            server.wait_for(f"job-{number}", "FAILED")
        assert_watched_all(server, everything, head)
        expected = [one for one in everything.entries if one["type"] in ("job-created", "engine-failed")]
        some.wait_for(lambda: len(some.entries) >= len(expected))
        assert some.entries == expected
        assert everything.connections > 3


def kill_api(server: Installation) -> None:
    for pid, title in server.processes().items():
        if title.startswith("modelbox-server: api "):
            os.kill(pid, signal.SIGKILL)
    server.http.close()
    server.http = httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=30, trust_env=False)


def test_watchers_outlast_a_database_that_is_away(tmp_path: Path, postgres: Postgres) -> None:
    url = postgres.new_database()
    with Installation(tmp_path / "state", url) as server:
        server.start()
        a_life(server, "before")
        head = head_of(server)
        with watch(server) as watcher:
            with closed(server, postgres):
                answer = server.http.get(EVENTS)
                assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
                assert server.http.get(f"{server.base}/before/history").status_code == 503
            wait_until_back(server)
            a_life(server, "after")
            assert_watched_all(server, watcher, head)
            assert watcher.connections == 1
    postgres.drop_database(url)


def wait_until_back(server: Installation) -> None:
    deadline = time.monotonic() + 20
    while server.http.get("/health/ready").status_code != 200:
        assert time.monotonic() < deadline, server.output()
        time.sleep(0.05)


def test_a_stopping_server_ends_streams_at_once(sqlite_installation: Installation) -> None:
    server = sqlite_installation.start()
    with watch(server) as watcher:
        assert server.stop() == 0
        server.start()
        a_life(server, "after")
        assert_watched_all(server, watcher, 1)


async def test_a_thousand_watchers_one_of_them_stuck(tmp_path: Path) -> None:
    """The stuck one is sent more than all buffers on its way hold, and never reads."""
    url = f"sqlite:///{tmp_path / 'state' / 'modelbox.db'}"
    await write_much(url)
    with Installation(tmp_path / "state").start() as server, socket.socket() as stuck:
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stuck.connect(("127.0.0.1", server.port))
        stuck.sendall(stream_request(0))
        head = head_of(server)
        watchers = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(WATCHERS)]
        for _, writer in watchers:
            writer.write(stream_request(head))
        await asyncio.gather(*(reader.readuntil(b"id: %d\n\n" % head) for reader, _ in watchers))
        await asyncio.to_thread(a_life, server, "seen")
        end = await asyncio.to_thread(head_of, server)
        got = await asyncio.gather(*(reader.readuntil(b"\nid: %d\n" % end) for reader, _ in watchers))
        expected = list(range(head + 1, end + 1))
        assert all([int(line) for line in re.findall(rb"^id: (\d+)$", part, re.M)] == expected for part in got)
        for _, writer in watchers:
            writer.close()


def stream_request(last_id: int) -> bytes:
    lines = (f"GET {EVENTS} HTTP/1.1", "Host: x", "Accept: text/event-stream", f"Last-Event-ID: {last_id}")
    return "\r\n".join((*lines, "", "")).encode()


async def write_much(url: str) -> None:
    """Some 16 MB of stream, in events that start nothing."""
    Path(url.removeprefix("sqlite:///")).parent.mkdir()
    upgrade(url)
    store = await Store.open(url)
    await asyncio.gather(*(store.elect(Context(actor="test"), "x" * 4000, 1) for _ in range(2000)))
    await store.close()
