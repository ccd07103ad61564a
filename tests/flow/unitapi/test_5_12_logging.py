"""Spec 5.12: log functions, Log and Logger."""

import gc
from types import ModuleType
from typing import Any

import pytest

from server.flow.pyunits.modules import api_modules
from server.flow.unitapi.log import LEVEL_VARIABLE, LogLevel

FUNCTIONS = ["debug", "info", "notice", "warn", "error", "fatal"]


@pytest.fixture
def api() -> ModuleType:
    return api_modules()["modelbox"]


class Collected(list[tuple[LogLevel, str, int, str, str]]):
    def __call__(self, level: LogLevel, file: str, lineno: int, func: str, msg: str) -> None:
        self.append((level, file, lineno, func, msg))


def registered(api: ModuleType, level: LogLevel = LogLevel.DEBUG) -> tuple[Any, Collected]:
    log, lines = api.Log(), Collected()
    log.reg(lines)
    log.set_log_level(level)
    return log, lines


@pytest.mark.parametrize("name", FUNCTIONS)
def test_5_12_each_function(api: ModuleType, name: str) -> None:
    log, lines = registered(api)
    getattr(api, name)("a", 1, None, key="ignored")
    ((level, file, lineno, func, msg),) = lines
    assert (level.name, file, func, msg) == (
        name.upper(),
        "test_5_12_logging.py",
        "test_5_12_each_function",
        "a, 1, None",
    )
    assert lineno > 1
    del log


@pytest.mark.parametrize("level", list(LogLevel))
def test_5_12_set_log_level(api: ModuleType, level: LogLevel) -> None:
    log, lines = registered(api)
    api.set_log_level(level)
    for name in FUNCTIONS:
        getattr(api, name)("x")
    assert [line[0].name for line in lines] == [each.name for each in LogLevel if level <= each < LogLevel.OFF]
    del log


def test_5_12_levels(api: ModuleType) -> None:
    names = ["DEBUG", "INFO", "NOTICE", "WARN", "ERROR", "FATAL", "OFF"]
    assert [level.name for level in api.Log.Level] == names


def test_5_12_console_lines_are_shown_from_info_on(
    api: ModuleType, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deviation: ModelBox's console is off unless the variable says otherwise; here it is the job's log."""
    api.debug("hidden")
    api.info("shown")
    err = capsys.readouterr().err
    assert "Z INFO test_5_12_logging.py:" in err
    assert err.endswith("test_5_12_console_lines_are_shown_from_info_on: shown\n")
    assert "hidden" not in err


@pytest.mark.parametrize(("value", "shown"), [("DEBUG", ["debug", "info"]), ("off", []), ("nonsense", ["info"])])
def test_5_12_the_variable_sets_the_console_s_level(
    value: str, shown: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LEVEL_VARIABLE, value)
    api = api_modules()["_flowunit"]
    api.debug("debug")
    api.info("info")
    assert [line.rpartition(" ")[2] for line in capsys.readouterr().err.splitlines()] == shown


def test_5_12_both_modules_share_the_log() -> None:
    modules = api_modules()
    log, lines = registered(modules["modelbox"])
    modules["_flowunit"].warn("from a unit")
    assert lines[0][4] == "from a unit"
    del log


def test_5_12_print_and_print_ext(api: ModuleType) -> None:
    log, lines = registered(api)
    log.print(LogLevel.WARN, "one")
    log.print_ext(LogLevel.ERROR, "file.py", 7, "func", "two")
    assert [(lines[0][0], lines[0][1], lines[0][4]), lines[1]] == [
        (LogLevel.WARN, "test_5_12_logging.py", "one"),
        (LogLevel.ERROR, "file.py", 7, "func", "two"),
    ]


def test_5_12_get_logger_and_set_logger(api: ModuleType) -> None:
    log, lines = registered(api, LogLevel.ERROR)
    logger = log.get_logger()
    assert logger.get_log_level() is LogLevel.ERROR
    logger.set_log_level(LogLevel.DEBUG)
    log.set_logger(api.Logger())
    log.set_logger(logger)
    api.debug("x")
    assert len(lines) == 1


def test_5_12_dropping_the_log_resets_it(api: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    log, lines = registered(api)
    del log
    gc.collect()
    api.info("to the console")
    assert (list(lines), "to the console" in capsys.readouterr().err) == ([], True)


def test_5_12_a_logger_that_raises_fails_no_unit(api: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    def fails(*_: object) -> None:
        raise ValueError("full")

    log = api.Log()
    log.reg(fails)
    api.error("x")
    assert "ValueError: full" in capsys.readouterr().err
    del log
