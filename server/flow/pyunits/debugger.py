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
    pydevd nothing is traced, and the log says so."""
    if VARIABLE not in os.environ:
        return
    try:
        settrace: Callable[..., object] = import_module("pydevd").settrace
    except ImportError as error:
        log.warning("%s is set, but there is no debugger: %s", VARIABLE, error)
        return
    for name in METHODS:
        setattr(unit, name, _traced(getattr(unit, name), settrace))


def _traced(method: Callable[..., object], settrace: Callable[..., object]) -> Callable[..., object]:
    @wraps(method)
    def traced(*arguments: Any) -> object:
        settrace(suspend=False, trace_only_current_thread=True)
        return method(*arguments)

    return traced
