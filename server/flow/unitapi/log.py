"""The logging functions of units (spec 5.12)."""

import os
import sys
import traceback
from collections.abc import Callable
from enum import IntEnum
from pathlib import PurePath
from typing import ClassVar

from server.flow.log_lines import SPEAKER, log_line

LEVEL_VARIABLE = "MODELBOX_CONSOLE_LOGLEVEL"


class LogLevel(IntEnum):
    DEBUG = 0
    INFO = 1
    NOTICE = 2
    WARN = 3
    ERROR = 4
    FATAL = 5
    OFF = 6


LogFunction = Callable[[LogLevel, str, int, str, str], object]
"""Gets level, file name, line number, function name and message."""


class Logger:
    """Writes lines to stderr, which is the job's log in an engine."""

    def __init__(self, level: LogLevel = LogLevel.INFO, function: LogFunction | None = None) -> None:
        self._level = level
        self._function = _write_line if function is None else function

    def set_log_level(self, level: LogLevel) -> None:
        self._level = LogLevel(level)

    def get_log_level(self) -> LogLevel:
        return self._level

    def note(self, level: LogLevel, file: str, lineno: int, func: str, msg: str) -> None:
        """The engine's: passes the line on if its level is high enough."""
        if level < self._level:
            return
        try:
            self._function(level, file, lineno, func, msg)
        except Exception:
            # a logger that fails must not make units fail
            traceback.print_exc()


class Logging:
    """Where log lines go now. Units see its methods `debug` to `set_log_level` as functions of their module."""

    def __init__(self) -> None:
        self._default = Logger(console_level())
        self.logger = self._default

    def reset(self) -> None:
        self.logger = self._default

    def debug(self, *args: object, **_: object) -> None:
        self._log(LogLevel.DEBUG, args)

    def info(self, *args: object, **_: object) -> None:
        self._log(LogLevel.INFO, args)

    def notice(self, *args: object, **_: object) -> None:
        self._log(LogLevel.NOTICE, args)

    def warn(self, *args: object, **_: object) -> None:
        self._log(LogLevel.WARN, args)

    def error(self, *args: object, **_: object) -> None:
        self._log(LogLevel.ERROR, args)

    def fatal(self, *args: object, **_: object) -> None:
        self._log(LogLevel.FATAL, args)

    def set_log_level(self, level: LogLevel) -> None:
        self.logger.set_log_level(level)

    def _log(self, level: LogLevel, args: tuple[object, ...]) -> None:
        if level < self.logger.get_log_level():
            return
        caller = sys._getframe(2)
        file = PurePath(caller.f_code.co_filename).name
        message = ", ".join(map(str, args))
        self.logger.note(level, file, caller.f_lineno, caller.f_code.co_name, message)


class Log:
    """A program's handle on logging. When it is dropped, lines go to the console again."""

    Level = LogLevel
    _logging: ClassVar[Logging]

    def reg(self, function: LogFunction) -> None:
        self._logging.logger = Logger(self._logging.logger.get_log_level(), function)

    def get_logger(self) -> Logger:
        return self._logging.logger

    def set_logger(self, logger: Logger) -> None:
        self._logging.logger = logger

    def set_log_level(self, level: LogLevel) -> None:
        self._logging.set_log_level(level)

    def print(self, level: LogLevel, msg: str) -> None:
        caller = sys._getframe(1)
        file = PurePath(caller.f_code.co_filename).name
        self._logging.logger.note(level, file, caller.f_lineno, caller.f_code.co_name, msg)

    def print_ext(self, level: LogLevel, file: str, lineno: int, func: str, msg: str) -> None:
        self._logging.logger.note(level, file, lineno, func, msg)

    def __del__(self) -> None:
        self._logging.reset()


def log_class(logging: Logging) -> type[Log]:
    """`Log` for one set of modules."""
    return type("Log", (Log,), {"_logging": logging, "__doc__": Log.__doc__})


def console_level() -> LogLevel:
    """INFO unless the environment says otherwise. ModelBox's is OFF, which would hide what units say."""
    wanted = os.environ.get(LEVEL_VARIABLE, "").upper()
    return LogLevel[wanted] if wanted in LogLevel.__members__ else LogLevel.INFO


def _write_line(level: LogLevel, file: str, lineno: int, func: str, msg: str) -> None:
    sys.stderr.write(log_line(level.name, SPEAKER.get()(), f"{file}:{lineno} {func}: {msg}"))
