"""Requests as spans: continues the trace of the client, if there is one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sanic import Request

from server.tracing import CURRENT, Kind, Span, Tracing

QUIET = ("/health", "/metrics")
"""Paths that monitoring asks for all the time."""


@contextmanager
def traced(tracing: Tracing | None, request: Request, route_of: Callable[[Request], str]) -> Iterator[None]:
    """Around the handling of a request. The span is in its `ctx.span`."""
    if tracing is None or request.path.startswith(QUIET):
        yield
        return
    span = tracing.begin(
        request.method,
        parent=request.headers.get("traceparent", ""),
        state=request.headers.get("tracestate", ""),
        kind=Kind.SERVER,
        attributes={"http.request.method": request.method, "url.path": request.path},
    )
    request.ctx.span = span
    token = CURRENT.set(span)
    try:
        yield
    finally:
        CURRENT.reset(token)
        _end(span, request, route_of(request))


def _end(span: Span, request: Request, route: str) -> None:
    span.rename(f"{request.method} {route}")
    response = request.stream.response if request.stream is not None else None
    if response is None:
        span.fail("the client did not wait for the answer")
    else:
        span.set({"http.route": route, "http.response.status_code": response.status})
        if response.status >= 500:
            span.fail(f"answered {response.status}")
    span.end()


def request_id_of(request: Request) -> str:
    """As it stands in the log: what is traced can be found there by its trace."""
    own = str(request.id)
    span: Span | None = getattr(request.ctx, "span", None)
    if span is None or not span.is_recorded:
        return own
    return f"{own} {span.traceparent}"
