"""Lines of logs in the form that the API sends them in."""

from datetime import datetime
from enum import StrEnum

import msgspec


class Level(StrEnum):
    """How much an entry matters: from debug over info, notice, warn and error to fatal."""

    DEBUG = "debug"
    INFO = "info"
    NOTICE = "notice"
    WARN = "warn"
    ERROR = "error"
    FATAL = "fatal"


class LogEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a log. `place`: to go on behind it."""

    place: str
    incarnation: int
    attempt: int
    time: datetime | None
    level: Level | None
    node: str | None
    text: str
