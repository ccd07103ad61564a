"""From a plan's unit to an object of its class, and its `open`."""

import logging
from importlib import import_module

from server.flow.mask import Mask
from server.flow.plan import PlanNode
from server.flow.pyunits.load import make_python_unit, place_in, said
from server.flow.run.calls import Outcome, outcome_of
from server.flow.secrets import AllowedSecrets, resolved
from server.flow.status import FlowError, StatusCode
from server.flow.unitapi import Configuration, FlowUnit

log = logging.getLogger("server.flow")


def make_unit(node: PlanNode) -> FlowUnit:
    """Raises: FlowError, when the unit's class cannot be loaded and made."""
    assert node.unit is not None
    entry = node.unit.entry
    if node.unit.directory:
        return make_python_unit(node.unit, node.name)
    module_name, _, class_name = entry.partition(":")
    try:
        unit = getattr(import_module(module_name), class_name)()
    except Exception as error:
        raise FlowError(StatusCode.INVALID, f"import {entry} failed: {type(error).__name__}: {error}") from error
    if not isinstance(unit, FlowUnit):
        raise FlowError(StatusCode.INVALID, f"import {entry} failed: {class_name} is no FlowUnit")
    return unit


def open_unit(node: PlanNode, unit: FlowUnit, secrets: AllowedSecrets) -> Outcome:
    """Calls the unit's `open` with its description's options, overlaid by the node's (spec 5.2). Only what it is
    given has the values of secrets."""
    assert node.unit is not None
    described = node.unit
    mask = Mask.of_process()
    try:
        options = resolved(node, {**described.config, **node.options}, secrets, mask)
    except FlowError as error:
        return Outcome(error.code, str(error))
    try:
        returned = unit.open(Configuration(options))
    except BaseException as error:
        log.warning("%s.open raised", node.name, exc_info=error)
        words = mask(f"{described.entry} function open error: {said(error)}")
        place = place_in(described.directory, error) if described.directory else ""
        code = StatusCode.NOMEM if isinstance(error, MemoryError) else StatusCode.FAULT
        return Outcome(code, f"{words} -> node '{node.name}': {place}" if place else words)
    return outcome_of(f"{node.name}.open", returned, StatusCode.FAULT)
