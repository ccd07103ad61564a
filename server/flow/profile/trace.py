"""`trace_*.json`: Chrome trace events, one a line (spec 9). Made for chrome://tracing, Perfetto and the like."""

from collections.abc import Iterator

import msgspec

from server.flow.profile.files import ProfileFile, ProfileFolder
from server.flow.profile.slices import Slice, SliceName

GRAPH_LANE = "Graph"


class TraceArguments(msgspec.Struct, frozen=True):
    """`node` is ours: several nodes may have the same unit."""

    batch_size: int
    node: str


class TraceEvent(msgspec.Struct, frozen=True):
    """Times in microseconds; `ts` since 1970."""

    name: SliceName
    ts: int
    dur: int
    pid: str
    tid: str
    args: TraceArguments
    ph: str = "X"


class TraceWriter:
    """Writes what it gets at once, into one file until that is closed or has `max_bytes`. A method that raises
    OSError has given the file up."""

    def __init__(self, folder: ProfileFolder, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._file: ProfileFile | None = None
        self._encode = msgspec.json.Encoder().encode

    @property
    def is_open(self) -> bool:
        return self._file is not None

    def write(self, slices: list[Slice]) -> None:
        lines = b"\n,".join(self._encode(event) for each in slices for event in _events_of(each))
        if self._file is None:
            self._file = self._folder.begin("trace")
            start = b"[\n"
        else:
            start = b","
        self._into(self._file, start + lines + b"\n")
        if self._file.size >= self._max_bytes:
            self.close()

    def close(self) -> None:
        """The file is whole, and the next slices begin a new one."""
        file, self._file = self._file, None
        if file is not None:
            self._into(file, b"]\n")
            self._publish(file)

    def _into(self, file: ProfileFile, data: bytes) -> None:
        try:
            file.write(data)
        except OSError:
            self._give_up(file)
            raise

    def _publish(self, file: ProfileFile) -> None:
        try:
            self._folder.publish(file)
        except OSError:
            self._give_up(file)
            raise

    def _give_up(self, file: ProfileFile) -> None:
        self._file = None
        # half a file helps nobody, and a full disk needs the room
        file.discard()


def _events_of(slice: Slice) -> Iterator[TraceEvent]:
    arguments = TraceArguments(slice.batch, slice.node)
    for lane in (GRAPH_LANE, *(f"Session:{each}" for each in slice.sessions)):
        yield TraceEvent(slice.name, slice.began, slice.lasted, lane, slice.unit, arguments)
