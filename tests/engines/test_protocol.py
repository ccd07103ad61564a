"""Frames, whatever pieces they come in."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.engines.channel import Channel, Waiting
from server.engines.protocol import (
    Failed,
    Frames,
    Ping,
    ProtocolError,
    engine_message,
    engine_request,
    frame,
    host_answer,
)
from server.engines.rundir import RunDir, connect_unix, key_of, listen_unix


@given(st.lists(st.text(max_size=50), max_size=8), st.lists(st.integers(1, 40), min_size=1, max_size=50))
def test_frames_come_out_as_they_went_in(texts: list[str], cuts: list[int]) -> None:
    stream = b"".join(frame(Failed(text, 1)) for text in texts)
    frames = Frames()
    bodies: list[bytes] = []
    while stream:
        size = cuts[len(bodies) % len(cuts)]
        bodies += frames.feed(stream[:size])
        stream = stream[size:]
    assert [engine_message.decode(body) for body in bodies] == [Failed(text, 1) for text in texts]


def test_a_frame_beyond_the_limit_is_refused_before_it_is_read() -> None:
    with pytest.raises(ProtocolError, match="longer than 100"):
        Frames(100).feed((101).to_bytes(4, "big"))


@pytest.fixture
def pair() -> Iterator[tuple[Channel, Channel]]:
    left, right = socket.socketpair()
    channels = Channel(left), Channel(right)
    yield channels
    for channel in channels:
        channel.close()


def test_descriptors_come_with_their_message(pair: tuple[Channel, Channel], tmp_path: Path) -> None:
    left, right = pair
    (tmp_path / "note").write_text("hello")
    with open(tmp_path / "note") as note:
        left.send(Ping(), [note.fileno()])
    (body,) = right.receive()
    (descriptor,) = right.take_descriptors()
    assert engine_request.decode(body) == Ping()
    with open(descriptor) as received:
        assert received.read() == "hello"


def test_a_message_larger_than_the_buffers_arrives_whole(pair: tuple[Channel, Channel]) -> None:
    left, right = pair
    left.send(Failed("x" * 5_000_000, 1))
    assert left.has_unsent
    bodies: list[bytes] = []
    while not bodies:
        left.flush()
        bodies += right.receive()
    assert engine_message.decode(bodies[0]) == Failed("x" * 5_000_000, 1)
    assert not left.has_unsent


def test_whoever_reads_nothing_is_cut_off(pair: tuple[Channel, Channel]) -> None:
    left, _ = pair
    news = Failed("x" * 60_000_000, 1)
    left.send(news)
    left.send(news)
    with pytest.raises(ConnectionAbortedError):
        left.send(news)


def test_waiting_ends_at_its_deadline(tmp_path: Path) -> None:
    with listen_unix(tmp_path / "silent"), Waiting(tmp_path / "silent", time.monotonic() + 0.05) as silent:
        silent.send(Ping())
        with pytest.raises(TimeoutError):
            silent.receive(host_answer)


def test_a_socket_may_lie_deep(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 200)
    deep.mkdir()
    with listen_unix(deep / "a.sock") as listener, connect_unix(deep / "a.sock"):
        listener.accept()[0].close()


def test_log_names_are_safe_and_distinct(tmp_path: Path) -> None:
    run_dir = RunDir(tmp_path)
    names = ["a.b", "../up", "..", "a/b", "a_b", ".hidden", "x" * 300, "\N{SNOWMAN}", "a\nb"]
    logs = [run_dir.job_logs(name) for name in names]
    assert len(set(logs)) == len(names)
    assert all(log.parent == run_dir.logs / "jobs" and len(log.name) < 130 for log in logs)
    assert len({key_of(name) for name in names}) == len(names)
