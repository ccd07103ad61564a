"""Server-sent events, from bytes to log entries."""

from collections.abc import Iterator

import msgspec

from server.client.errors import BadAnswer
from server.wire.entries import Entry

MOST_BYTES = 16 * 1024 * 1024
"""Of one event: what sends more is no server of ours."""


class Frames:
    """Give it the bytes of one connection as they come. `last_id` is the position that the stream has come to."""

    def __init__(self) -> None:
        self.last_id: int | None = None
        self._begun = b""
        self._data: list[bytes] = []
        self._id = b""

    def entries_in(self, received: bytes) -> Iterator[Entry]:
        """The entries that are complete with this. Raises: BadAnswer."""
        # not splitlines: texts in JSON may have line separators of Unicode, which end no line here
        *lines, self._begun = (self._begun + received).split(b"\n")
        if len(self._begun) > MOST_BYTES:
            raise BadAnswer(f"an event of the stream is longer than {MOST_BYTES} bytes")
        for line in lines:
            if line:
                self._take(line)
                continue
            entry = self._entry()
            if self._id:
                self.last_id = self._number(self._id)
            self._data, self._id = [], b""
            if entry is not None:
                yield entry

    def _take(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"id":
            self._id = value

    def _entry(self) -> Entry | None:
        if not self._data:
            return None
        try:
            return msgspec.json.decode(b"\n".join(self._data), type=Entry)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise BadAnswer(f"an event of the stream is no entry of the log: {error}") from error

    def _number(self, text: bytes) -> int:
        try:
            return int(text)
        except ValueError as error:
            raise BadAnswer(f"an event of the stream has the id {text!r}, which is no position") from error
