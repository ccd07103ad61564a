"""Reading logs: lines, tails, filters, and following over files and attempts."""

import json
import os
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from server.engines.logs.files import Attempt, LogFile, mark, parse_place
from server.engines.logs.lines import CUT, MOST_BYTES, Parser, Splitter
from server.engines.logs.reader import MISSING, PIECE_BYTES, LogReader, Place, Wanted
from server.flow.log_lines import log_line
from server.wire.logs import Level

ONE = Attempt(1, 1)
T0 = datetime(2026, 1, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(T0.timestamp() + seconds, UTC)


def entry(level: str, text: str, seconds: float = 0, node: str = "") -> bytes:
    return log_line(level, node, text, at(seconds).timestamp()).encode()


def put(folder: Path, number: int, data: bytes, attempt: Attempt = ONE) -> LogFile:
    file = LogFile(attempt, number, folder)
    file.path.write_bytes(data)
    return file


def reader(folder: Path, wanted: Wanted | None = None, **how: bool) -> LogReader:
    made = LogReader(folder, ONE, wanted or Wanted(), **how)
    made.start()
    return made


def read_all(made: LogReader) -> str:
    text = b""
    while True:
        piece = made.read()
        text += piece.data
        if piece.at_end:
            return text.decode()


def lines_of(data: bytes, size: int) -> list[str]:
    splitter = Splitter()
    raws = [raw for n in range(0, len(data), size) for raw in splitter.feed(data[n : n + size])]
    return [raw.text for raw in [*raws, *splitter.flush()]]


@pytest.mark.parametrize("size", [1, 7, 1_000_000])
def test_lines_come_out_the_same_however_they_are_cut(size: int) -> None:
    data = b"one\n\ntwo\r\n 10%\r 20%\rdone\n" + b"x" * 50_000 + b"\nafter\nno end"
    long = "x" * MOST_BYTES + CUT
    assert lines_of(data, size) == ["one", "", "two", " 10%", " 20%", "done", long, "after", "no end"]


def test_an_endless_line_is_shown_once_and_never_held() -> None:
    splitter = Splitter()
    raws = [raw for _ in range(1000) for raw in splitter.feed(b"z" * 10_000)]
    assert [raw.is_cut for raw in raws] == [True]
    assert [raw.text for raw in splitter.feed(b"\nnext\n")] == ["next"]


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"\xff\x00caf\xc3\xa9", "\\xff\\x00café"),
        (b"\x1b[31mred\x1b[0m \x1b]0;title\x07", "red \\x1b]0;title\\x07"),
        ("tab\there \u2028 \x9b".encode(), "tab\there \\u2028 \\x9b"),
        (b"100 \xe2\x82\xac", "100 €"),
    ],
)
def test_what_is_no_text_is_escaped(data: bytes, shown: str) -> None:
    assert lines_of(data, 100) == [shown]


def test_what_lines_say_about_themselves() -> None:
    parser = Parser()
    text = (
        entry("WARN", "first\nsecond", 1, "det ect").decode()
        + "printed\nTraceback (most recent call last):\n  File x\nValueError: no\nprinted again\n"
    )
    parsed = [parser.parse(line) for line in text.splitlines()]
    assert [(line.level, line.node, line.text) for line in parsed] == [
        (Level.WARN, "det ect", "first"),
        (Level.WARN, "det ect", "second"),
        (None, None, "printed"),
        (Level.ERROR, None, "Traceback (most recent call last):"),
        (Level.ERROR, None, "  File x"),
        (Level.ERROR, None, "ValueError: no"),
        (None, None, "printed again"),
    ]
    assert [line.time for line in parsed[:3]] == [at(1), at(1), None]


@pytest.mark.parametrize("level", list(Level))
def test_levels(tmp_path: Path, level: Level) -> None:
    put(tmp_path, 1, b"".join(entry(each.upper(), f"a {each}") for each in Level) + b"printed\n")
    shown = read_all(reader(tmp_path, Wanted(level=level)))
    expected = [f"a {each}" for each in list(Level)[list(Level).index(level) :]]
    assert [line.partition("Z ")[2].partition(" ")[2] for line in shown.splitlines() if "Z" in line] == expected
    assert ("printed" in shown) == (level in (Level.DEBUG, Level.INFO))


@pytest.mark.parametrize("tail", [0, 1, 2, 3, 999, 1000, 2500, 5000])
def test_tails(tmp_path: Path, tail: int) -> None:
    numbers = [f"{n:0100d}\n" for n in range(2500)]
    for number in range(3):
        part = numbers[number * 1000 : number * 1000 + 1000]
        put(tmp_path, number + 1, "".join(part).encode())
    made = reader(tmp_path)
    made.go_to_tail(tail)
    assert read_all(made) == "".join(numbers[max(0, 2500 - tail) :] if tail else [])


def test_a_tail_of_a_line_without_end(tmp_path: Path) -> None:
    put(tmp_path, 1, b"one\ntwo\nthr")
    made = reader(tmp_path)
    made.go_to_tail(2)
    assert read_all(made) == "two\nthr\n"


def test_a_tail_of_lines_that_are_wanted(tmp_path: Path) -> None:
    for number in (1, 2):
        put(tmp_path, number, b"".join(entry("ERROR" if n % 50 == 0 else "INFO", str(n)) for n in range(2000)))
    places: deque[Place] = deque(maxlen=3)
    scout = reader(tmp_path, Wanted(level=Level.ERROR))
    while scout.note_places(places):
        pass
    made = reader(tmp_path, Wanted(level=Level.ERROR))
    made.resume(places[0])
    assert [line.split()[-1] for line in read_all(made).splitlines()] == ["1850", "1900", "1950"]


def test_since_by_the_times_of_entries_and_of_files(tmp_path: Path) -> None:
    parts = [
        b"old print\n",
        entry("INFO", "old", 9),
        b"young print\n",
        entry("INFO", "young", 11),
        b"no time yet\n",
    ]
    file = put(tmp_path, 1, b"".join(parts))
    sizes = [sum(map(len, parts[:n])) for n in range(1, 5)]
    file.times.write_bytes(b"".join(mark(size, at(n + 8).timestamp()) for n, size in enumerate(sizes)))
    os.utime(file.path, (at(12).timestamp(), at(12).timestamp()))
    shown = read_all(reader(tmp_path, Wanted(since=at(10))))
    assert [line.rpartition(" ")[2] for line in shown.splitlines()] == ["print", "young", "yet"]
    assert "old" not in shown
    entries = [json.loads(line) for line in read_all(reader(tmp_path, Wanted(as_json=True))).splitlines()]
    assert [one["time"] for one in entries] == [
        "2026-01-01T00:00:08Z",
        "2026-01-01T00:00:09Z",
        "2026-01-01T00:00:10Z",
        "2026-01-01T00:00:11Z",
        "2026-01-01T00:00:12Z",
    ]


def test_json_lines(tmp_path: Path) -> None:
    file = put(tmp_path, 1, entry("ERROR", "wrong", 1.5, "detect") + b"\xff\n")
    os.utime(file.path, (at(2).timestamp(), at(2).timestamp()))
    parsed: list[Any] = [json.loads(x) for x in read_all(reader(tmp_path, Wanted(as_json=True))).splitlines()]
    same = {"incarnation": 1, "attempt": 1}
    assert parsed == [
        {
            "place": "1-1.1.46",
            **same,
            "time": "2026-01-01T00:00:01.500000Z",
            "level": "error",
            "node": "detect",
            "text": "wrong",
        },
        {
            "place": "1-1.1.48",
            **same,
            "time": "2026-01-01T00:00:02Z",
            "level": None,
            "node": None,
            "text": "\\xff",
        },
    ]


@pytest.mark.parametrize("pieces", [1, 2, 3])
def test_going_on_behind_any_line_misses_and_repeats_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pieces: int
) -> None:
    monkeypatch.setattr("server.engines.logs.reader.PIECE_BYTES", 10 * pieces)
    put(tmp_path, 1, b"one\ntwo\nthr")
    put(tmp_path, 2, b"ee\n\nfive\r\nsix and no end")
    everything = [json.loads(line) for line in read_all(reader(tmp_path, Wanted(as_json=True))).splitlines()]
    assert [one["text"] for one in everything] == ["one", "two", "three", "", "five", "six and no end"]
    for n, one in enumerate(everything):
        made = reader(tmp_path)
        made.resume(parse_place(tmp_path, one["place"]))
        assert read_all(made).splitlines() == [each["text"] for each in everything[n + 1 :]]


def test_following_waits_for_the_end_of_a_line(tmp_path: Path) -> None:
    file = put(tmp_path, 1, b"one\nbeg")
    made = reader(tmp_path, follow=True)
    assert read_all(made) == "one\n"
    file.path.write_bytes(b"one\nbegun\n")
    assert read_all(made) == "begun\n"


def test_following_goes_into_the_next_file_in_the_middle_of_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.engines.logs.reader.SETTLE_SECONDS", 0.0)
    first = put(tmp_path, 1, b"one\nbeg")
    made = reader(tmp_path, follow=True)
    assert read_all(made) == "one\n"
    put(tmp_path, 2, b"un\ntwo\n")
    first.path.write_bytes(b"one\nbegin-")  # somebody was about to write there
    assert read_all(made) == ""
    assert read_all(made) == "begin-un\ntwo\n"


@pytest.mark.parametrize("follow", [True, False])
def test_what_was_removed_meanwhile_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, follow: bool) -> None:
    monkeypatch.setattr("server.engines.logs.reader.SETTLE_SECONDS", 0.0)
    first = put(tmp_path, 1, b"one\n" * PIECE_BYTES)
    made = reader(tmp_path, follow=follow)
    assert made.read().data
    put(tmp_path, 5, b"five\n")
    first.remove()
    assert [read_all(made), read_all(made)][-1 if follow else 0].splitlines()[-2:] == [MISSING, "five"]


def test_following_into_the_next_attempt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.engines.logs.reader.SETTLE_SECONDS", 0.0)
    put(tmp_path, 1, b"one\ncut off")
    over, pinned = reader(tmp_path, follow=True, over_attempts=True), reader(tmp_path, follow=True)
    assert (read_all(over), read_all(pinned)) == ("one\n", "one\n")
    put(tmp_path, 1, b"again\n", Attempt(1, 2))
    put(tmp_path, 1, b"anew\n", Attempt(2, 1))
    assert read_all(pinned) == "cut off\n"
    assert pinned.is_over
    seen = "".join(read_all(over) for _ in range(4))
    assert seen == "cut off\nagain\nanew\n"
    assert not over.is_over


def test_a_log_that_the_host_cut_is_read_from_its_beginning(tmp_path: Path) -> None:
    file = put(tmp_path, 1, b"x\n" * 1000)
    made = reader(tmp_path, follow=True)
    read_all(made)
    file.path.write_bytes(b"[left out]\nmore\n")
    assert read_all(made) + read_all(made) == "[left out]\nmore\n"


def test_a_log_that_is_not_there_yet(tmp_path: Path) -> None:
    folder = tmp_path / "later"
    made = reader(folder, follow=True)
    assert read_all(made) == ""
    folder.mkdir()
    put(folder, 1, b"here\n")
    assert read_all(made) == "here\n"
