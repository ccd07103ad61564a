"""Whether the database can be served from, and whether the clock fits it."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime

from server.config import Config
from server.doctor.finding import Finding, ok, problem, warning
from server.jobs.events import Recorded
from server.store import StoreError, check, current, seen
from server.store.history import History
from server.store.schema import REVISIONS

FUTURE_SECONDS = 5.0
EARLIEST = datetime(2025, 1, 1, tzinfo=UTC)
"""No clock that is right shows an earlier time than this program's."""


def examine(config: Config) -> Iterator[Finding]:
    last = None
    url = config.database_url
    if (
        url.startswith("sqlite:")
        and not config.server.database_url
        and not (config.state_dir / "modelbox.db").exists()
    ):
        yield ok("database", "none yet; the first start makes an SQLite file in the state directory")
    else:
        try:
            found = current(url)
            if found is None:
                yield warning(
                    "database", "it is empty", "`serve` makes the tables, or `modelbox-server db upgrade`"
                )
            elif found in REVISIONS[:-1]:
                yield problem(
                    "database", f"schema {found}, this program needs {REVISIONS[-1]}", "modelbox-server db upgrade"
                )
            else:
                check(url, seen.load(config.state_dir))
                events = asyncio.run(newest(url, 1))
                last = events[-1] if events else None
                at = last.position if last else 0
                yield ok("database", f"schema {found}; the log ends at position {at}, and its end verifies")
        except StoreError as error:
            yield problem("database", str(error), "see what it says; nothing was changed")
    yield clock(datetime.now(UTC), last)


async def newest(url: str, limit: int) -> tuple[Recorded, ...]:
    """The last events of the log, oldest first. Raises: StoreError."""
    history = History(url)
    try:
        return (await history.newest(limit)).events
    finally:
        await history.close()


def clock(now: datetime, last: Recorded | None) -> Finding:
    said = f"{now:%Y-%m-%d %H:%M:%S} UTC"
    mend = "set it, and have it kept right (chrony, systemd-timesyncd)"
    if now < EARLIEST:
        return problem("clock", f"{said} is past", mend)
    if last is not None and (ahead := (last.recorded_at - now).total_seconds()) > FUTURE_SECONDS:
        return problem("clock", f"{said}, and the log's last event is {ahead:.0f} seconds later", mend)
    return ok("clock", said)
