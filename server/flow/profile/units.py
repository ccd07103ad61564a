"""What stands between a node and its unit while a flow is profiled."""

from collections.abc import Iterable
from time import perf_counter_ns, time_ns

from server.flow.plan import NodeKind
from server.flow.profile.slices import Slice, SliceName, Slices
from server.flow.run.node import Node
from server.flow.unitapi import Configuration, DataContext, FlowUnit
from server.flow.unitapi.flowunit import Returned


def attach(nodes: Iterable[Node], slices: Slices, *, with_sessions: bool) -> None:
    """From now on the calls of all units leave a slice. For nodes that are built and not opened yet."""
    for node in nodes:
        if node.plan.kind is NodeKind.FLOWUNIT:
            node.names_sessions = with_sessions
            node.unit = ProfiledUnit(node.unit, node, slices, with_sessions)


class ProfiledUnit(FlowUnit):
    """Calls the unit, and notes how long that took, whatever came of it."""

    def __init__(self, unit: FlowUnit, node: Node, slices: Slices, with_sessions: bool) -> None:
        self._unit = unit
        self._names = (node.description.name, node.name)
        self._slices = slices
        self._with_sessions = with_sessions

    def open(self, config: Configuration) -> Returned:
        began, start = time_ns(), perf_counter_ns()
        try:
            return self._unit.open(config)
        finally:
            self._note(SliceName.OPEN, began, start)

    def process(self, data_ctx: DataContext) -> Returned:
        began, start = time_ns(), perf_counter_ns()
        batch = _batch_of(data_ctx)
        try:
            return self._unit.process(data_ctx)
        finally:
            self._note(SliceName.PROCESS, began, start, batch, data_ctx)

    def data_pre(self, data_ctx: DataContext) -> Returned:
        began, start = time_ns(), perf_counter_ns()
        try:
            return self._unit.data_pre(data_ctx)
        finally:
            self._note(SliceName.STREAM_OPEN, began, start, context=data_ctx)

    def data_post(self, data_ctx: DataContext) -> Returned:
        began, start = time_ns(), perf_counter_ns()
        try:
            return self._unit.data_post(data_ctx)
        finally:
            self._note(SliceName.STREAM_CLOSE, began, start, context=data_ctx)

    def close(self) -> Returned:
        began, start = time_ns(), perf_counter_ns()
        try:
            return self._unit.close()
        finally:
            self._note(SliceName.CLOSE, began, start)

    def _note(
        self, name: SliceName, began: int, start: int, batch: int = 0, context: DataContext | None = None
    ) -> None:
        lasted = (perf_counter_ns() - start) // 1000
        sessions = _sessions_of(context) if self._with_sessions and context is not None else ()
        self._slices.add(Slice(name, *self._names, began // 1000, lasted, batch, sessions))


def _batch_of(context: DataContext) -> int:
    """Taken before the call: units may change the lists that they are given."""
    external = context.external()
    lists = [external] if external is not None else context._inputs.values()
    return next(map(len, lists), 0)


def _sessions_of(context: DataContext) -> tuple[str, ...]:
    sessions = context._sessions or (context.get_session_context(),)
    return tuple(session.get_session_id() for session in sessions)
