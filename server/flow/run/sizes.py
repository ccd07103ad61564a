"""Batch and queue sizes of a node, from its options and its unit (spec 2.2, 4.6)."""

from server.flow.description import ConditionType, OutputType, UnitDescription
from server.flow.plan import PlanNode
from server.flow.status import FlowError, StatusCode
from server.flow.unitapi import Configuration

QUEUE = 32
EXTERNAL_QUEUE = 1024


def external_capacity(plan: PlanNode) -> int:
    """Raises: FlowError for 0 and less."""
    return _size(plan, "queue_size_external", EXTERNAL_QUEUE)


def batch_size(plan: PlanNode, unit: UnitDescription) -> int:
    if unit.output_type is OutputType.EXPAND or unit.condition is not ConditionType.NONE:
        return 1
    wanted = Configuration(plan.options).get_int("batch_size", unit.default_batch_size)
    wanted = wanted if wanted > 0 else unit.default_batch_size
    return max(1, min(wanted, unit.max_batch_size) if unit.max_batch_size > 0 else wanted)


def queue_size(plan: PlanNode, port: str) -> int:
    return _size(plan, f"queue_size_{port}", _size(plan, "queue_size", QUEUE))


def _size(plan: PlanNode, key: str, default: int) -> int:
    """Raises: FlowError for 0 and less (spec 2.2)."""
    size = Configuration(plan.options).get_int(key, default)
    if size <= 0:
        raise FlowError(StatusCode.INVALID, f"node '{plan.name}': {key}={size}: queue size config is zero")
    return size
