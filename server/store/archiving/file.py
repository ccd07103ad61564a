"""An archive: a file of JSON lines that holds events, each with the checksum of the one before it.

A head, the events life by life, the graphs that they name, and an end that says how many there are.
"""

import gzip
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, NamedTuple

import msgspec

from server.jobs.events import JobCreated, JobDeleted
from server.jobs.ids import digest_of
from server.store.checksums import HASHED, Checksum, event_checksum
from server.store.errors import Damaged, StoreUnavailable

FORMAT = 1
GZIP_MAGIC = b"\x1f\x8b"
COMPRESSED = ".gz"
MOST_BYTES = 256 * 1024 * 1024
"""Of one line: more is no archive of ours."""


class ArchiveHead(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="archive"):
    """`id` tells this archive from any other, `log` is Store.log_name."""

    format: int
    id: str
    log: str
    made_at: str
    deleted_before: str


class ArchivedEvent(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="event"):
    """A row of `event`, and the checksum of the row before it in the log."""

    previous: Checksum
    position: int
    job_id: str
    incarnation: int
    version: int
    type: str
    schema_version: int
    data: msgspec.Raw
    actor: str
    request_id: str
    idempotency_key: str | None
    epoch: int | None
    recorded_at: str
    checksum: Checksum

    def is_whole(self) -> bool:
        values = msgspec.structs.asdict(self) | {"data": bytes(self.data)}
        try:
            return event_checksum(self.previous, [values[name] for name in HASHED]) == self.checksum
        except (ValueError, msgspec.MsgspecError):
            return False


class ArchivedGraph(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="graph"):
    """The columns of `graph`, but for what can be made anew."""

    digest: str
    format: str
    source: str
    escaped: bool
    created_at: str

    def is_whole(self) -> bool:
        try:
            source = self.source.encode("ascii").decode("unicode_escape") if self.escaped else self.source
        except ValueError:
            return False
        return digest_of(self.format, source) == self.digest


class End(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="end"):
    jobs: int
    events: int
    graphs: int


Line = ArchiveHead | ArchivedEvent | ArchivedGraph | End
Life = list[ArchivedEvent]
"""All events of one incarnation, in order."""
_DECODER: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)


class Contents(NamedTuple):
    """Of an archive that is whole. `sha256` is of its text, uncompressed."""

    head: ArchiveHead
    end: End
    digests: tuple[str, ...]
    sha256: str


class ArchiveWriter:
    """Writes lines, and counts them."""

    def __init__(self, file: IO[bytes], head: ArchiveHead) -> None:
        self._file = file
        self._lives = self._events = self._graphs = 0
        self._write(head)

    @property
    def lives(self) -> int:
        return self._lives

    def add_life(self, life: Life) -> None:
        self._lives += 1
        self._events += len(life)
        for event in life:
            self._write(event)

    def add_graph(self, graph: ArchivedGraph) -> None:
        self._graphs += 1
        self._write(graph)

    def finish(self) -> None:
        self._write(End(jobs=self._lives, events=self._events, graphs=self._graphs))

    def _write(self, line: Line) -> None:
        self._file.write(msgspec.json.encode(line) + b"\n")


@contextmanager
def opened_for_writing(path: Path, *, compressed: bool) -> Iterator[IO[bytes]]:
    """A new file, which is on disk at the end. Raises: OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        if compressed:
            with gzip.GzipFile(fileobj=file, filename="", mode="wb") as packed:
                yield packed  # type: ignore[misc]
        else:
            yield file
        file.flush()
        os.fsync(file.fileno())


def read_whole(path: Path) -> Contents:
    """Reads the archive at `path` to its end, and checks each line of it.

    Raises: Damaged, when it is not whole; StoreUnavailable, when it cannot be read.
    """
    reading = _Reading(path)
    for _life in reading.lives():
        pass
    return reading.contents()


def lives_of(path: Path) -> Iterator[Life]:
    """All lives in the archive at `path`, each whole. Raises: as `read_whole`, when the place is reached."""
    reading = _Reading(path)
    yield from reading.lives()
    reading.contents()


class _Reading:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._number = 0
        self._hash = sha256()
        self._head: ArchiveHead | None = None
        self._end: End | None = None
        self._events = self._lives = 0
        self._digests: list[str] = []

    def contents(self) -> Contents:
        """Once all lives were read."""
        if self._head is None or self._end is None:
            raise self._damaged("its end is missing")
        counted = End(jobs=self._lives, events=self._events, graphs=len(self._digests))
        if counted != self._end:
            raise self._damaged("lines are missing")
        return Contents(self._head, self._end, tuple(self._digests), self._hash.hexdigest())

    def lives(self) -> Iterator[Life]:
        life: Life = []
        for line in self._lines():
            if life and (not isinstance(line, ArchivedEvent) or _begins(line)):
                yield self._complete(life)
                life = []
            if isinstance(line, ArchivedEvent):
                life.append(line)
            else:
                self._take(line)
        if life:
            yield self._complete(life)

    def _complete(self, life: Life) -> Life:
        first, last = life[0], life[-1]
        numbers = [(one.job_id, one.incarnation, one.version) for one in life]
        if numbers != [(first.job_id, first.incarnation, version) for version in range(1, len(life) + 1)]:
            raise self._damaged(f"the life of job {first.job_id} before it has other events between its own")
        if (first.type, last.type) != (JobCreated.type, JobDeleted.type):
            raise self._damaged(f"the life of job {first.job_id} before it has no beginning or no end")
        self._lives += 1
        self._events += len(life)
        return life

    def _take(self, line: ArchiveHead | ArchivedGraph | End) -> None:
        match line:
            case ArchiveHead(format=version):
                if self._number != 1 or version != FORMAT:
                    raise self._damaged("it is of another format")
                self._head = line
            case ArchivedGraph():
                self._digests.append(line.digest)
            case End():
                self._end = line

    def _lines(self) -> Iterator[Line]:
        for text in self._texts():
            self._number += 1
            self._hash.update(text)
            try:
                line = _DECODER.decode(text)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                raise self._damaged(f"it cannot be read ({error})") from error
            if isinstance(line, ArchivedEvent | ArchivedGraph) and not line.is_whole():
                raise self._damaged("it is not as it was written")
            if self._end is not None or (self._head is None and not isinstance(line, ArchiveHead)):
                raise self._damaged("it is out of place")
            yield line

    def _texts(self) -> Iterator[bytes]:
        try:
            if not stat.S_ISREG(os.stat(self._path).st_mode):
                raise Damaged(f"archive {self._path} is no file")
            with self._path.open("rb") as raw:
                packed = raw.read(2) == GZIP_MAGIC
                raw.seek(0)
                file: Any = gzip.GzipFile(fileobj=raw, mode="rb") if packed else raw
                while text := file.readline(MOST_BYTES):
                    yield text
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise self._damaged(f"it cannot be unpacked from there on ({error})") from error
        except OSError as error:
            raise StoreUnavailable(f"archive {self._path} cannot be read: {error.strerror or error}") from error

    def _damaged(self, reason: str) -> Damaged:
        return Damaged(f"archive {self._path} is damaged at line {self._number}: {reason}")


def _begins(event: ArchivedEvent) -> bool:
    return event.version == 1
