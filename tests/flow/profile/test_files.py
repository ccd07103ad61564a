"""The files of a profile: when they are written, how large they grow, and what happens when they cannot be."""

import json
import logging
import shutil
import time
from pathlib import Path

import pytest

from server.flow.profile import files as profile_files
from server.flow.profile.files import ProfileFolder
from server.flow.profile.profiler import ProfilePace
from tests.flow.profile.support import events, files, hidden, profiled, reports


def test_9_the_pace_is_modelbox_s() -> None:
    assert (ProfilePace().sample_seconds, ProfilePace().write_seconds) == (0.1, 600)


def test_9_files_are_written_at_each_interval_and_at_the_stop(tmp_path: Path) -> None:
    with profiled(tmp_path, performance=True) as under_way:
        under_way.call_until(lambda: len(files(tmp_path, "trace")) == 2, "two traces")
        assert len(files(tmp_path, "performance")) >= 1
        under_way.call()
    assert len(files(tmp_path, "trace")) == 3
    assert len(reports(tmp_path)) >= 3
    samples = [each["timestamp"] for report in reports(tmp_path) for each in report["cpu_usage"]]
    assert len(samples) == len(set(samples)), "each sample is in one file"
    assert not hidden(tmp_path)


def test_9_every_call_is_in_exactly_one_trace(tmp_path: Path) -> None:
    with profiled(tmp_path) as under_way:
        for _ in range(60):
            under_way.call(10)
            time.sleep(0.005)
    assert len(files(tmp_path, "trace")) > 1
    found = [event["ts"] for event in events(tmp_path)]
    assert len(found) == 600
    assert found == sorted(found)


def test_9_an_interval_without_calls_has_no_trace(tmp_path: Path) -> None:
    with profiled(tmp_path, performance=True) as under_way:
        under_way.call_until(lambda: len(files(tmp_path, "performance")) == 1, "the first interval is over")
    before = len(files(tmp_path, "trace"))
    with profiled(tmp_path, performance=True) as under_way:
        deadline = time.monotonic() + 10
        while len(files(tmp_path, "performance")) < 4 and time.monotonic() < deadline:
            time.sleep(0.01)
    assert len(files(tmp_path, "trace")) == before


def test_files_of_the_same_second_do_not_overwrite_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profile_files, "strftime", lambda _: "2026-01-02-03-04-05")
    folders = [ProfileFolder(tmp_path, 1000, 0) for _ in range(2)]
    made = [folder.begin("trace") for folder in folders]
    for number, (folder, file) in enumerate(zip(folders, made, strict=True)):
        file.write(str(number).encode())
        folder.publish(file)
    third = folders[0].begin("trace")
    third.write(b"2")
    folders[0].publish(third)
    names = {path.name: path.read_text() for path in files(tmp_path, "trace")}
    assert names == {
        "trace_2026-01-02-03-04-05.json": "0",
        "trace_2026-01-02-03-04-05_2.json": "1",
        "trace_2026-01-02-03-04-05_3.json": "2",
    }


def test_a_link_in_the_way_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profile_files, "strftime", lambda _: "now")
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / "trace_now.json").symlink_to(victim)
    (tmp_path / ".trace_now_2.json.part").symlink_to(victim)
    with profiled(tmp_path) as under_way:
        under_way.call()
    assert victim.read_text() == "mine"
    assert len(json.loads((tmp_path / "trace_now_3.json").read_text())) == 1


def test_a_trace_that_is_large_enough_is_closed(tmp_path: Path) -> None:
    pace = ProfilePace(sample_seconds=0.01, max_file_bytes=1000)
    with profiled(tmp_path, pace) as under_way:
        under_way.call_until(lambda: len(files(tmp_path, "trace")) == 3, "three files long before 600 s")
    assert all(path.stat().st_size < 10_000 for path in files(tmp_path, "trace"))


def test_the_oldest_files_make_room(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    other = tmp_path / "trace_of_somebody_else.json"
    other.write_text("[]")
    pace = ProfilePace(sample_seconds=0.01, max_file_bytes=1000, keep_bytes=4000)
    seen: set[Path] = set()

    def many_were_there() -> bool:
        seen.update(files(tmp_path, "trace"))
        return len(seen) > 8

    with profiled(tmp_path, pace) as under_way:
        under_way.call_until(many_were_there, "many files")
    left = set(files(tmp_path, "trace")) - {other}
    assert left < seen
    assert sum(path.stat().st_size for path in left) <= 4000
    assert other.exists()
    assert caplog.text.count("oldest files are being removed") == 1


def test_memory_is_bounded_when_units_outrun_the_profile(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with profiled(tmp_path, ProfilePace(max_waiting=10)) as under_way:
        under_way.call(1000)
    assert 10 <= len(events(tmp_path)) < 1000
    assert "some calls are missing" in caplog.text


def test_a_folder_that_vanishes_is_made_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    folder = tmp_path / "perf"
    with profiled(folder) as under_way:
        under_way.call_until(lambda: hidden(folder), "a trace has begun")
        shutil.rmtree(folder)
        under_way.call_until(lambda: files(folder, "trace"), "the next trace")
        assert caplog.text.count("cannot be written") == 1
        under_way.call_until(lambda: "being written again" in caplog.text, "it says that all is well")


def test_a_folder_that_cannot_be_made_costs_one_line_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    pace = ProfilePace(sample_seconds=0.01, write_seconds=0.02, retry_seconds=0.01)
    with profiled(tmp_path / "file" / "perf", pace, performance=True) as under_way:
        for _ in range(50):
            under_way.call()
            time.sleep(0.005)
    assert caplog.text.count("cannot be written") == 1


def test_what_is_left_of_a_disk_is_left_to_others(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with profiled(tmp_path, ProfilePace(sample_seconds=0.01, spare_bytes=10**18), performance=True) as under_way:
        under_way.call()
    assert not list(tmp_path.iterdir())
    assert caplog.text.count("MB are free") == 1


def test_orphans_without_a_whole_event_are_removed(tmp_path: Path) -> None:
    for name, text in (("trace_a", ""), ("trace_b", "[\n"), ("trace_c", '[\n{"na'), ("performance_d", "{")):
        (tmp_path / f".{name}.json.part").write_text(text)
    ProfileFolder(tmp_path, 1000, 0).finish_orphans()
    assert not list(tmp_path.iterdir())
