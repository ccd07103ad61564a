"""How many: buffers in a batch and in a queue (spec 2.2, 4.6), threads of a flow (spec 1.4).

Counts are read as ModelBox reads unsigned numbers: what is below zero does not convert, and leaves the default.
"""

import os
from collections.abc import Mapping

from server.flow import values
from server.flow.description import ConditionType, OutputType, UnitDescription
from server.flow.plan import PlanNode
from server.flow.status import FlowError, StatusCode

QUEUE = 32
EXTERNAL_QUEUE = 1024


def external_capacity(plan: PlanNode) -> int:
    """Raises: FlowError for 0."""
    return _size(plan, "queue_size_external", EXTERNAL_QUEUE)


def batch_size(plan: PlanNode, unit: UnitDescription) -> int:
    if unit.output_type is OutputType.EXPAND or unit.condition is not ConditionType.NONE:
        return 1
    wanted = _count(plan.options, "batch_size") or unit.default_batch_size
    return max(1, min(wanted, unit.max_batch_size) if unit.max_batch_size > 0 else wanted)


def queue_size(plan: PlanNode, port: str) -> int:
    return _size(plan, f"queue_size_{port}", _size(plan, "queue_size", QUEUE))


def _size(plan: PlanNode, key: str, default: int) -> int:
    """Raises: FlowError for 0 (spec 2.2)."""
    size = _count(plan.options, key, default)
    if size == 0:
        words = f"node '{plan.name}': {key} must be 1 or more"
        raise FlowError(StatusCode.INVALID, "queue size config is zero", words)
    return size


def max_threads(settings: Mapping[str, str], nodes: int) -> int:
    """How many threads may run units at once; they start when they are needed.

    `graph.max-thread-num`, else 32 times `graph.thread-num`, else that of its default; at most
    `graph.max_executor_thread_num`, as the pools that ModelBox has for devices are here this one too (spec 1.4).
    """
    base = _count(settings, "graph.thread-num") or max(2 * nodes, os.cpu_count() or 1)
    wanted = _count(settings, "graph.max-thread-num") or 32 * base
    executor = _count(settings, "graph.max_executor_thread_num")
    if executor > 0:
        wanted = min(wanted, executor)
    return max(2, wanted, nodes + 1)


def _count(options: Mapping[str, str], key: str, default: int = 0) -> int:
    return values.get_int(options, key, default, values.UINT32)
