"""Units under a debugger: what the variable MODELBOX_DEBUG_PYTHON asks for (spec 5.2)."""

import logging
import os
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from typing import Any

from server.flow.unitapi import FlowUnit

VARIABLE = "MODELBOX_DEBUG_PYTHON"
METHODS = ("open", "process", "data_pre", "data_post", "close")

log = logging.getLogger("server.flow")


def attach_debugger(unit: FlowUnit) -> None:
    """With the variable set, every call of the unit tells pydevd to trace the thread that it is made on. Without
    pydevd, or without anybody that it reaches, nothing is traced, and the log says so."""
    if VARIABLE not in os.environ:
        return
    try:
        settrace: Callable[..., object] = import_module("pydevd").settrace
    except ImportError as error:
        words = "install pydevd where this program is installed (pip install pydevd)"
        log.warning("%s is set, but there is no debugger: %s; %s", VARIABLE, error, words)
        return
    tracer = _Tracer(settrace)
    for name in METHODS:
        setattr(unit, name, _traced(getattr(unit, name), tracer))


class _Tracer:
    """One unit's. Once it has failed, the unit runs as it would without the variable."""

    def __init__(self, settrace: Callable[..., object]) -> None:
        self._settrace = settrace
        self._has_failed = False

    def trace_this_thread(self) -> None:
        if self._has_failed:
            return
        try:
            self._settrace(suspend=False, trace_only_current_thread=True)
        except (Exception, SystemExit) as error:
            # some versions of pydevd want to end the program when nobody listens
            self._has_failed = True
            words = "start a debug server that pydevd finds (port 5678 of this machine), then the flow again"
            log.warning("%s is set, but the debugger cannot be reached: %r; %s", VARIABLE, error, words)


def _traced(method: Callable[..., object], tracer: _Tracer) -> Callable[..., object]:
    @wraps(method)
    def traced(*arguments: Any) -> object:
        tracer.trace_this_thread()
        return method(*arguments)

    return traced
