"""The log together with its archives: is every event of both there, and in its place?

What is in the files is kept in a scratch database for the time of the check: memory does not grow with them.
"""

import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from server.jobs.events import EventsArchived
from server.store.archiving.file import Life, lives_of, read_whole
from server.store.audit import Difference
from server.store.checksums import BEGINNING
from server.store.errors import StoreError
from server.store.gaps import Gap, archives_at, checksums_of_gaps, gaps_from
from server.store.tables import ARCHIVED_JOB, EVENT


class _Line(NamedTuple):
    position: int
    previous: str
    checksum: str


def check_archives(connection: sa.Connection, paths: Sequence[Path]) -> list[Difference]:
    """What is wrong with the archives at `paths`, and with their fitting into the log: each event's checksum and
    its place in the chain, each life as the log knows it, and every gap filled. Reads everything once."""
    with tempfile.TemporaryDirectory() as folder, closing(sqlite3.connect(Path(folder, "lines"))) as scratch:
        scratch.execute("CREATE TABLE line (position INTEGER PRIMARY KEY, previous TEXT, checksum TEXT)")
        found = [one for path in paths for one in _take(connection, scratch, path)]
        found += _check_gaps(connection, scratch)
    return found


def _take(connection: sa.Connection, scratch: sqlite3.Connection, path: Path) -> Iterator[Difference]:
    """Of one file; its events are in `scratch` afterwards."""
    try:
        contents = read_whole(path)
        told = _known(connection).get(contents.head.id)
        if told is None:
            yield Difference(
                "", f"archive {path.name}", "an archive of this log", "one that the log does not know"
            )
        elif (told.sha256, told.events) != (contents.sha256, contents.end.events):
            yield Difference("", f"archive {path.name}", f"SHA-256 {told.sha256}", contents.sha256)
        for life in lives_of(path):
            yield from _check_life(connection, life)
            yield from _keep(scratch, life)
    except StoreError as error:
        yield Difference("", f"archive {path.name}", "a whole archive", str(error))


def _known(connection: sa.Connection) -> dict[str, EventsArchived]:
    """The archives that the log names, by their ids."""
    archives = connection.scalars(sa.select(ARCHIVED_JOB.c.archive).distinct()).all()
    return {event.archive: event for event in archives_at(connection, archives).values()}


def _check_life(connection: sa.Connection, life: Life) -> Iterator[Difference]:
    """As `archived_job` has it; or, when it is still in the log, as it is there."""
    first, last = life[0], life[-1]
    of_it = ARCHIVED_JOB.c.job_id == first.job_id, ARCHIVED_JOB.c.incarnation == first.incarnation
    columns = ARCHIVED_JOB.c.events, ARCHIVED_JOB.c.from_position, ARCHIVED_JOB.c.to_position
    row = connection.execute(sa.select(*columns).where(*of_it)).one_or_none()
    expected = (len(life), first.position, last.position)
    if row is not None:
        if tuple(row) != expected:
            yield Difference(first.job_id, "archived_job", str(expected), str(tuple(row)), last.position)
        return
    in_log = EVENT.c.job_id == first.job_id, EVENT.c.incarnation == first.incarnation
    query = sa.select(EVENT.c.position, EVENT.c.checksum).where(*in_log).order_by(EVENT.c.version)
    if [tuple(row) for row in connection.execute(query)] != [(one.position, one.checksum) for one in life]:
        yield Difference(first.job_id, "event", "the events of the archive", "others", first.position)


def _keep(scratch: sqlite3.Connection, life: Life) -> Iterator[Difference]:
    lines = [_Line(event.position, event.previous, event.checksum) for event in life]
    scratch.executemany("INSERT OR IGNORE INTO line VALUES (?, ?, ?)", lines)
    for line, event in zip(lines, life, strict=True):
        query = "SELECT position, previous, checksum FROM line WHERE position = ?"
        other = _Line(*scratch.execute(query, [line.position]).fetchone())
        if other != line:  # the same event in two archives, and not the same
            yield Difference(event.job_id, "event.checksum", other.checksum, line.checksum, line.position)


def _check_gaps(connection: sa.Connection, scratch: sqlite3.Connection) -> Iterator[Difference]:
    missing: dict[int, int] = {}
    for gap in gaps_from(connection, 1):
        query = "SELECT position, previous, checksum FROM line WHERE position BETWEEN ? AND ? ORDER BY position"
        lines = [_Line(*row) for row in scratch.execute(query, [gap.from_position, gap.to_position])]
        if len(lines) < gap.events:
            missing[gap.archive] = missing.get(gap.archive, 0) + gap.events - len(lines)
            continue
        yield from _check_links(_checksum_before(connection, gap), lines, gap)
    archives = archives_at(connection, missing)
    for archive, events in missing.items():
        name = archives[archive].file if archive in archives else "?"
        yield Difference("", f"archive {name}", f"{events} events more, which left the log", "not given", archive)


def _check_links(before: str | None, lines: list[_Line], gap: Gap) -> Iterator[Difference]:
    place = _Line(gap.from_position - 1, "", before or "?")
    for one, following in pairwise([place, *lines]):
        if following.previous != one.checksum:
            yield Difference("", "archived event's previous", one.checksum, following.previous, following.position)
    if lines[-1].checksum != gap.checksum:
        yield Difference("", "log_gap.checksum", lines[-1].checksum, gap.checksum, gap.to_position)


def _checksum_before(connection: sa.Connection, gap: Gap) -> str | None:
    before = gap.from_position - 1
    if before == 0:
        return BEGINNING
    in_log = connection.scalar(sa.select(EVENT.c.checksum).where(EVENT.c.position == before))
    return in_log if in_log is not None else checksums_of_gaps(connection, [before]).get(before)
