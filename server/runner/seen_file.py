"""Keeps on disk how far the log was seen, so that a database that falls behind is noticed after a restart too."""

import asyncio
from pathlib import Path

import structlog

from server.store import Store, seen

log = structlog.get_logger()

SAVE_SECONDS = 0.25


async def keep(store: Store, state_dir: Path) -> None:
    """Until cancelled; what was seen by then is saved."""
    saved: seen.Seen | None = None
    try:
        while True:
            if store.seen != saved:
                saved = store.seen
                await asyncio.to_thread(_save, state_dir, saved)
            await asyncio.sleep(SAVE_SECONDS)
    finally:
        _save(state_dir, store.seen)


def _save(state_dir: Path, last: seen.Seen) -> None:
    try:
        seen.save(state_dir, last)
    except OSError as error:
        log.warning("the last position of the log is not kept beside it", reason=str(error))
