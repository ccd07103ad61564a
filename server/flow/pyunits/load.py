"""From `entry = "file@Class"` to a unit, and what is told when its code fails (spec 5.2)."""

import logging
import traceback
from linecache import getline
from pathlib import Path

from server.flow.description import UnitDescription
from server.flow.pyunits.debugger import attach_debugger
from server.flow.pyunits.imports import UnitImports, frames_below
from server.flow.status import FlowError, StatusCode
from server.flow.unitapi import FlowUnit

log = logging.getLogger("server.flow")


def make_python_unit(unit: UnitDescription, node: str) -> FlowUnit:
    """Imports the unit's file and makes an object of its class. May take as long as the user's imports take.

    Raises: FlowError INVALID, with the place in the user's code; the trace goes to the log.
    """
    file, at, class_name = unit.entry.partition("@")
    if not at or not file or not class_name or "@" in class_name:
        raise FlowError(StatusCode.INVALID, f"invalid entry string: {unit.entry}")
    try:
        made = getattr(UnitImports.of_process().load(unit.directory, file), class_name)()
    except (Exception, SystemExit) as error:
        log.error("node '%s': import %s failed", node, unit.entry, exc_info=error)
        raise FlowError(StatusCode.INVALID, *_import_words(unit, node, error)) from error
    if not isinstance(made, FlowUnit):
        words = (
            f"node '{node}': {class_name} of {unit.directory}/{file}.py is no class derived from modelbox.FlowUnit"
        )
        raise FlowError(StatusCode.INVALID, f"import {unit.entry} failed: {words}")
    attach_debugger(made)
    return made


def place_in(folder: str, error: BaseException) -> str:
    """Where in a unit's code `error` was raised: file, line, function and the line's text; "" when nowhere."""
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        return f"{error.filename}, line {error.lineno}: {(error.text or '').strip()}"
    frames = list(frames_below(folder, error))
    if not frames:
        return ""
    file, line, function = frames[-1]
    return f"{file}, line {line}, in {function}: {getline(file, line).strip()}"


def said(error: BaseException) -> str:
    """The exception's type and text, on one line."""
    return traceback.format_exception_only(error)[-1].strip()


def _import_words(unit: UnitDescription, node: str, error: BaseException) -> tuple[str, str]:
    where = place_in(unit.directory, error)
    if not where:
        file, _, class_name = unit.entry.partition("@")
        path = Path(unit.directory, *file.split(".")).with_suffix(".py")
        where = f"{path} has no class '{class_name}'" if path.is_file() else f"there is no file {path}"
    return f"import {unit.entry} failed: {said(error)}", f"node '{node}': {where}"
