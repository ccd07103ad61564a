"""From a plan's unit to an object of its class."""

from importlib import import_module

from server.flow.plan import PlanNode
from server.flow.status import FlowError, StatusCode
from server.flow.unitapi import FlowUnit


def make_unit(node: PlanNode) -> FlowUnit:
    """Raises: FlowError, when the entry is not a built-in's, or its class cannot be loaded and made."""
    assert node.unit is not None
    entry = node.unit.entry
    if "@" in entry:
        words = f"node '{node.name}': unit '{node.unit.name}' is a Python unit ({entry}), which cannot be run yet"
        raise FlowError(StatusCode.NOTSUPPORT, words)
    module_name, _, class_name = entry.partition(":")
    try:
        unit = getattr(import_module(module_name), class_name)()
    except Exception as error:
        raise FlowError(StatusCode.INVALID, f"import {entry} failed: {type(error).__name__}: {error}") from error
    if not isinstance(unit, FlowUnit):
        raise FlowError(StatusCode.INVALID, f"import {entry} failed: {class_name} is no FlowUnit")
    return unit
