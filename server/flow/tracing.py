"""Requests into a flow as spans, with a part for each call of a unit that worked for them."""

from collections.abc import Iterable, Mapping
from time import time_ns

from server.flow.plan import NodeKind
from server.flow.run.calls import outcome_of
from server.flow.run.node import Node
from server.flow.status import StatusCode
from server.flow.unitapi import Configuration, DataContext, FlowUnit, SessionContext
from server.flow.unitapi.flowunit import Returned
from server.tracing import Kind, Span, Tracing

MOST_CALLS = 100
"""Of units, in one request's trace: a video has thousands."""
MOST_REQUESTS = 16
"""Whose traces one call of a unit shows up in, when it works for many at once."""
KEY = "modelbox-server.trace"
_FINE = (StatusCode.SUCCESS, StatusCode.CONTINUE)


class RequestTrace:
    """Goes with the session of a request. Calls are noted by any thread."""

    __slots__ = ("_left", "span")

    def __init__(self, span: Span) -> None:
        self.span = span
        self._left = MOST_CALLS

    def note_call(self, node: Node, began: int, ended: int, problem: str, batch: int) -> None:
        """Times in nanoseconds since 1970."""
        self._left -= 1
        if self._left < 0:
            return
        attributes: dict[str, str | int] = {
            "modelbox.node": node.name,
            "modelbox.unit": node.description.name,
            "modelbox.sessions": batch,
        }
        call = self.span.child(f"unit {node.name}", attributes, began)
        if problem:
            call.fail(problem)
        call.end(ended)

    def end(self, status: int) -> None:
        self.span.set({"http.response.status_code": status})
        if status >= 500:
            self.span.fail(f"answered {status}")
        if self._left < 0:
            self.span.set({"modelbox.calls_left_out": -self._left})
        self.span.end()


def begin(tracing: Tracing, method: str, path: str, headers: Mapping[str, str]) -> RequestTrace:
    span = tracing.begin(
        f"{method} {path}",
        parent=headers.get("traceparent", ""),
        state=headers.get("tracestate", ""),
        kind=Kind.SERVER,
        attributes={"http.request.method": method, "http.route": path},
    )
    return RequestTrace(span)


def attach(nodes: Iterable[Node]) -> None:
    """From now on calls for sessions that are traced are noted. For nodes that are built and not opened yet."""
    for node in nodes:
        if node.plan.kind is NodeKind.FLOWUNIT:
            node.names_sessions = True
            node.unit = TracedUnit(node.unit, node)


class TracedUnit(FlowUnit):
    """Calls the unit, and notes that, for whom, and how long it took."""

    def __init__(self, unit: FlowUnit, node: Node) -> None:
        self._unit = unit
        self._node = node

    def open(self, config: Configuration) -> Returned:
        return self._unit.open(config)

    def process(self, data_ctx: DataContext) -> Returned:
        sessions = data_ctx._sessions or (data_ctx.get_session_context(),)
        traces = _traces_of(sessions)
        if not traces:
            return self._unit.process(data_ctx)
        began, problem = time_ns(), ""
        try:
            returned = self._unit.process(data_ctx)
            problem = _problem_in(returned)
            return returned
        except BaseException as error:
            problem = type(error).__name__  # not its words: they may quote what is secret
            raise
        finally:
            ended = time_ns()
            for trace in traces:
                trace.note_call(self._node, began, ended, problem, len(sessions))

    def data_pre(self, data_ctx: DataContext) -> Returned:
        return self._unit.data_pre(data_ctx)

    def data_post(self, data_ctx: DataContext) -> Returned:
        return self._unit.data_post(data_ctx)

    def close(self) -> Returned:
        return self._unit.close()


def _traces_of(sessions: tuple[SessionContext, ...]) -> list[RequestTrace]:
    traces: list[RequestTrace] = []
    for session in sessions:
        trace = session._values.get(KEY)
        if isinstance(trace, RequestTrace) and len(traces) < MOST_REQUESTS:
            traces.append(trace)
    return traces


def _problem_in(returned: object) -> str:
    outcome = outcome_of("process", returned, StatusCode.SHUTDOWN)
    return "" if outcome.code in _FINE else outcome.code.text
