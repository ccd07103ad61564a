"""`db archive` beside a running server: what its clients see of it."""

import gzip
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from server.client import Client
from tests.installation import Installation, echo_flow, free_port

EVENTS = "/v1/modelbox/events"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """With one job that runs, and the events of another, which was deleted, in the archive "old.gz"."""
    folder = tmp_path_factory.mktemp("archive")
    with Installation(folder / "state") as installation:
        installation.start()
        assert installation.create("kept", echo_flow(free_port())).status_code == 201
        assert installation.create("gone", echo_flow(free_port())).status_code == 201
        assert installation.delete("gone").status_code == 204
        nothing = archive(installation, "30d")
        assert (nothing.returncode, nothing.stdout) == (0, "there is nothing to archive, no file was made\n")
        done = archive(installation, "0s")
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines() == [
            f"{file_of(installation)} has 6 events of 1 deleted jobs",
            "6 events of 1 jobs and 1 graphs were removed from the database",
        ]
        installation.kill_server()  # which has the events in memory, and goes on giving them to watchers
        installation.start()
        yield installation


def file_of(server: Installation) -> Path:
    return server.state_dir.parent / "old.gz"


def archive(server: Installation, ago: str) -> Any:
    return server.run("db", "archive", str(file_of(server)), "--deleted-before", ago)


def get(server: Installation, path: str, **query: Any) -> Any:
    answer = server.http.get(path, params=query or None)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_log_tells_of_the_archive(server: Installation) -> None:
    events = get(server, EVENTS, limit=1000)["events"]
    told = {one["type"]: one for one in events}
    assert told["events-archived"]["what"]["file"] == "old.gz"
    assert told["events-archived"]["actor"] == "archive"
    assert told["in-archive"]["why"].endswith(", are in the archive old.gz")
    covered = sum(one["what"]["events"] if one["type"] == "in-archive" else 1 for one in events)
    assert covered == events[-1]["position"]


def test_a_jobs_history_tells_of_the_archive(server: Installation) -> None:
    (only,) = get(server, f"{server.base}/gone/history")["events"]
    assert (only["type"], only["job"], only["incarnation"]) == ("in-archive", "gone", 1)
    assert only["what"] == {"file": "old.gz", "events": 6} | {
        name: only["what"][name] for name in ("from_position", "to_position")
    }
    with Client(f"http://127.0.0.1:{server.port}") as client:
        assert [entry.why for entry in client.history("gone")] == [only["why"]]
        assert [entry.type for entry in islice(client.watch("gone", after=0), 1)] == ["in-archive"]
    assert server.status("gone").status_code == 404


def test_a_stream_tells_of_the_archive(server: Installation) -> None:
    headers = {"Accept": "text/event-stream", "Last-Event-ID": "0"}
    with server.http.stream("GET", EVENTS, headers=headers) as answer:
        types = [
            line[7:] for line in _until(answer.iter_lines(), "event: events-archived") if line[:6] == "event:"
        ]
    assert types.count("in-archive") >= 1
    assert types[-1] == "events-archived"


def _until(lines: Iterator[str], last: str) -> Iterator[str]:
    for line in lines:
        yield line
        if line == last:
            return


def test_the_id_can_be_used_again_and_all_of_it_is_checked(server: Installation) -> None:
    assert server.create("gone", echo_flow(free_port())).status_code == 201
    assert server.delete("gone").status_code == 204
    history = get(server, f"{server.base}/gone/history")["events"]
    assert {one["incarnation"] for one in history[1:]} == {2}
    again = server.run("db", "archive", str(file_of(server)), "--deleted-before", "0s")
    assert "0 events of 0 jobs and 0 graphs were removed" in again.stdout

    alone = server.run("db", "verify")
    both = server.run("db", "verify", "--archive", str(file_of(server)))

    assert (alone.returncode, both.returncode) == (0, 0), both.stdout
    assert both.stdout == "the projection equals the event log, and the archives fit into it\n"
    lines = [json.loads(line) for line in gzip.decompress(file_of(server).read_bytes()).splitlines()]
    of_it = [line["type"] for line in lines if line["kind"] == "event"]
    assert (of_it[0], of_it[-1]) == ("job-created", "job-deleted")


@pytest.mark.parametrize(
    ("when", "file", "code", "reason"),
    [
        ("soon", "x", 2, "must be a time such as"),
        ("0s", "no/such/folder", 2, "cannot be written to"),
        ("0s", "state", 2, "is no file; nothing was removed"),
    ],
)
def test_what_is_refused(server: Installation, when: str, file: str, code: int, reason: str) -> None:
    path = server.state_dir.parent / file
    done = server.run("db", "archive", str(path), "--deleted-before", when)
    assert done.returncode == code
    assert reason in done.stderr
    assert "Traceback" not in done.stderr
