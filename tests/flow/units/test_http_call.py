"""Requests of units to servers of every kind."""

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from server.flow.units.http_call import BadUrl, call
from tests.flow.units.receiver import receiver


@contextmanager
def answering(*pieces: bytes, pause: float = 0.0) -> Iterator[str]:
    """A server that sends `pieces` to whoever connects, then closes."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            try:
                for piece in pieces:
                    connection.sendall(piece)
                    time.sleep(pause)
            except OSError:
                return

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        thread.join(20)
        listener.close()


def test_status_and_body_are_returned_and_redirects_are_not_followed() -> None:
    with receiver() as web:
        web.statuses, web.answer = [302], b"there"
        assert call("POST", f"{web.url}/a b?c=d e", {"X": "y"}, b"body", seconds=5) == (302, b"there")
    (got,) = web.got
    assert (got.path, got.headers["x"], got.body) == ("/a%20b?c=d%20e", "y", b"body")


@pytest.mark.parametrize("url", ["", "h", "ftp://h", "http://", "http://h:0", "http://h:99999", "http://[::1"])
def test_bad_urls(url: str) -> None:
    with pytest.raises(BadUrl):
        call("GET", url, {}, seconds=1)


@pytest.mark.parametrize(
    "piece",
    [
        b"",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    ],
)
def test_answers_that_are_none_or_break_off_raise(piece: bytes) -> None:
    with answering(piece) as url, pytest.raises((OSError, http.client.HTTPException)):
        call("GET", url, {}, seconds=5)


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"])
def test_a_server_that_trickles_is_cut_off(head: bytes) -> None:
    first = head or b"HTTP/1.1 200 OK\r\nX: "
    with answering(first, *[b"a"] * 60, pause=0.1) as url, pytest.raises((OSError, http.client.HTTPException)):
        call("GET", url, {}, seconds=0.5)


def test_an_answer_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.flow.units.http_call.MAX_RESPONSE", 100)
    with receiver() as web:
        web.answer = b"a" * 101
        with pytest.raises(OSError, match="larger than 100 bytes"):
            call("GET", web.url, {}, seconds=5)
