"""How many requests were answered how, and how long that took; counted around Sanic's handling of each."""

from asyncio import CancelledError
from collections.abc import Iterable
from time import perf_counter
from typing import Any

from sanic import Request, Sanic
from sanic.http import Http

from server.api.endpoint import JOB, VALIDATE
from server.api.request_spans import traced
from server.tally import REQUEST_SECONDS, Tally

METHODS = frozenset({"GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"})
OTHER = "other"
"""A method that no route has, or a path that is none's: anybody may make up as many as they like."""
CLIENT_GONE = 499
"""The client did not wait for the answer. No status on the wire; other servers log it by this number, too."""
BASE = JOB.partition("/{")[0]

Key = tuple[str, str, int]
"""Method, route, status."""


class RequestCounts:
    """On the event loop. `words` are those that may stand behind a job's id in a path."""

    def __init__(self, words: Iterable[str]) -> None:
        self._words = frozenset(words) - {""}
        self.counts: dict[Key, int] = {}
        self.durations: dict[tuple[str, str], Tally] = {}

    def note(self, request: Request, status: int, seconds: float | None) -> None:
        """`seconds` is None for what is no matter of time: a stream lasts as long as the client wants."""
        method = request.method if request.method in METHODS else OTHER
        route = self.route_of(request)
        key = method, route, status
        self.counts[key] = self.counts.get(key, 0) + 1
        if seconds is None:
            return
        tally = self.durations.get((method, route))
        if tally is None:
            tally = self.durations[method, route] = Tally(REQUEST_SECONDS)
        tally.note(seconds)

    def route_of(self, request: Request) -> str:
        """The path with names for what varies in it."""
        route = request.route
        if route is None:
            return OTHER
        rest = request.match_info.get("rest")
        if rest is None:
            return f"/{route.path}"
        if rest == "list/all":
            return f"{BASE}/list/all"
        if rest == VALIDATE and request.method == "POST":
            return f"{BASE}/{VALIDATE}"
        word = rest.partition("/")[2]
        if not word:
            return JOB.removesuffix("/")
        return f"{JOB}{word}" if word in self._words else OTHER


class CountingApp(Sanic[Any, Any]):
    """Sanic, with an eye on what it does. `ctx.requests` are the RequestCounts, `ctx.gate` is the Gate,
    `ctx.tracing` the Tracing, if there is one."""

    async def handle_request(self, request: Request) -> None:
        began = perf_counter()
        counts: RequestCounts = self.ctx.requests
        stream = _http_of(request)
        try:
            with traced(self.ctx.tracing, request, counts.route_of):
                await super().handle_request(request)
        except CancelledError:
            # Sanic sets an exception when it was itself that gave up waiting
            counts.note(request, 503 if stream.exception is not None else CLIENT_GONE, None)
            raise
        finally:
            self.ctx.gate.leave(request)
        response = stream.response
        if response is not None:
            is_stream = "transfer-encoding" in response.headers
            counts.note(request, response.status, None if is_stream else perf_counter() - began)

    async def handle_exception(
        self, request: Request, exception: BaseException, run_middleware: bool = True
    ) -> None:
        try:
            await super().handle_exception(request, exception, run_middleware)
        finally:
            self.ctx.gate.leave(request)
        stream = _http_of(request)
        if stream.perft0 is None and stream.response is not None:
            # what was no request never came to be handled
            self.ctx.requests.note(request, stream.response.status, None)


def _http_of(request: Request) -> Http:
    assert isinstance(request.stream, Http)
    return request.stream
