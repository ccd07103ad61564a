"""The start of an engine as part of the trace of who asked for it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, time_ns

from server.engines.protocol import EngineSpec
from server.errors import StartError
from server.tracing import Span, Tracing, open_tracing

log = logging.getLogger("engine")


def tracing_of(spec: EngineSpec) -> Tracing | None:
    """Starts a thread. A job does not fail for want of it."""
    about: dict[str, str | int] = {"modelbox.job.id": spec.job_id, "modelbox.job.attempt": spec.attempt}
    try:
        return open_tracing(spec.tracing, "modelbox-engine", about)
    except StartError as error:
        log.warning("this engine is not traced: %s", error)
        return None


class StartTrace:
    """From the engine's birth until it is ready, or is not. Of nothing, when `tracing` is None."""

    def __init__(
        self, tracing: Tracing | None = None, spec: EngineSpec | None = None, born_at: float = 0.0
    ) -> None:
        """`born_at` is by the monotonic clock."""
        self._span: Span | None = None
        if tracing is not None and spec is not None:
            born = time_ns() - int((monotonic() - born_at) * 1e9)
            self._span = tracing.begin("engine starts", parent=spec.traceparent, at=born)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        span = self._span.child(name) if self._span is not None else None
        try:
            yield
        finally:
            if span is not None:
                span.end()

    def end(self, problem: str = "") -> None:
        """The first call counts."""
        span, self._span = self._span, None
        if span is None:
            return
        if problem:
            span.fail(problem)
        span.end()


NOT_TRACED = StartTrace()
