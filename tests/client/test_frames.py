"""Server-sent events, however the network cuts them."""

import pytest

from server.client.errors import BadAnswer
from server.client.frames import Frames

ENTRY = (
    '{"position":%d,"time":"2026-03-02T08:31:00Z","type":"job-created","job":"a","incarnation":1,"number":1,'
    '"actor":"rest","request_id":"","epoch":null,"what":{},"why":"line\u2028separators\u0085end no line"}'
)


def frame(position: int) -> bytes:
    return f"id: {position}\nevent: job-created\ndata: {ENTRY % position}\n\n".encode()


STREAM = b"retry: 1000\nid: 3\n\n" + frame(4) + frame(5) + b"id: 9\n\n"


@pytest.mark.parametrize("size", [1, 2, 7, 64, 10_000])
def test_pieces_of_any_size(size: int) -> None:
    frames = Frames()
    found = []
    for at in range(0, len(STREAM), size):
        found += list(frames.entries_in(STREAM[at : at + size]))
    assert [(entry.position, entry.why) for entry in found] == [
        (4, "line\u2028separators\u0085end no line"),
        (5, "line\u2028separators\u0085end no line"),
    ]
    assert frames.last_id == 9


def test_an_event_that_was_cut_off_is_none() -> None:
    frames = Frames()
    assert list(frames.entries_in(STREAM[:-20])) != []
    assert frames.last_id == 4


@pytest.mark.parametrize("text", [b"data: <html>\n\n", b"id: x\n\n", b"data: {}\n\n"])
def test_what_is_no_entry_is_told(text: bytes) -> None:
    with pytest.raises(BadAnswer):
        list(Frames().entries_in(text))
