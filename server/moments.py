"""A time as people write it: in RFC 3339, or how long ago."""

import re
from datetime import UTC, datetime, timedelta

_AGO = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)([smhd]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def moment_of(text: str, now: datetime) -> datetime:
    """`text` is such as 2026-01-31T12:00:00Z (UTC when it names no zone), 90s, 10m, 2h, 1d.

    Raises: ValueError, with what it must be.
    """
    ago = _AGO.fullmatch(text)
    try:
        if ago is not None:
            return now - timedelta(seconds=float(ago[1]) * _SECONDS[ago[2]])
        time = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise ValueError(
            "must be a time such as 2026-01-31T12:00:00Z, or how long ago, such as 90s, 10m, 2h, 1d"
        ) from None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time
