"""Spans by the OpenTelemetry SDK. Imported only when an endpoint is configured."""

import logging
import threading
from importlib.metadata import version
from time import monotonic

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Span as AnySpan
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from server.tracing import Attributes, Kind, Span, TracingSettings

SEND_SECONDS = 5.0
"""How long a collector may take for a batch, with all tries."""
EVERY_SECONDS = 1.0
CLOSE_SECONDS = 1.0
TOLD_EVERY_SECONDS = 300.0
BATCH = 512

_KINDS = {Kind.SERVER: SpanKind.SERVER, Kind.INTERNAL: SpanKind.INTERNAL}
_PLACES = TraceContextTextMapPropagator()

log = logging.getLogger("server.tracing")


class OtelTracing:
    """See Tracing."""

    def __init__(self, settings: TracingSettings, service: str, attributes: Attributes) -> None:
        _quiet(settings.endpoint)
        about = {"service.name": service, "service.version": version("modelbox-server"), **attributes}
        self._provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(settings.sample)),
            resource=Resource.create(about),
            shutdown_on_exit=False,
        )
        exporter = OTLPSpanExporter(endpoint=settings.endpoint, timeout=SEND_SECONDS)
        self._provider.add_span_processor(
            BatchSpanProcessor(
                exporter,
                max_queue_size=settings.max_waiting,
                max_export_batch_size=min(BATCH, settings.max_waiting),
                schedule_delay_millis=EVERY_SECONDS * 1000,
                export_timeout_millis=SEND_SECONDS * 1000,
            )
        )
        self._tracer = self._provider.get_tracer("modelbox-server")

    def begin(
        self,
        name: str,
        *,
        parent: str = "",
        state: str = "",
        kind: Kind = Kind.INTERNAL,
        attributes: Attributes | None = None,
        at: int | None = None,
    ) -> Span:
        context = _PLACES.extract({"traceparent": parent, "tracestate": state})
        span = self._tracer.start_span(
            name, context=context, kind=_KINDS[kind], attributes=attributes, start_time=at
        )
        return OtelSpan(self._tracer, span)

    def close(self) -> None:
        # not on this thread: a collector that takes what it gets and does not answer would hold it
        closing = threading.Thread(target=self._provider.shutdown, name="tracing-close", daemon=True)
        closing.start()
        closing.join(CLOSE_SECONDS)


class OtelSpan:
    """See Span."""

    __slots__ = ("_span", "_tracer")

    def __init__(self, tracer: Tracer, span: AnySpan) -> None:
        self._tracer = tracer
        self._span = span

    @property
    def traceparent(self) -> str:
        place = self._span.get_span_context()
        return f"00-{place.trace_id:032x}-{place.span_id:016x}-{place.trace_flags:02x}"

    @property
    def is_recorded(self) -> bool:
        return self._span.is_recording()

    def child(self, name: str, attributes: Attributes | None = None, at: int | None = None) -> Span:
        context = set_span_in_context(self._span)
        return OtelSpan(
            self._tracer, self._tracer.start_span(name, context=context, attributes=attributes, start_time=at)
        )

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def set(self, attributes: Attributes) -> None:
        self._span.set_attributes(attributes)

    def fail(self, message: str) -> None:
        self._span.set_status(Status(StatusCode.ERROR, message))

    def end(self, at: int | None = None) -> None:
        self._span.end(at)


class _Complaints(logging.Handler):
    """Of the exporter, which would repeat itself each second: one now and then."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(logging.WARNING)
        self._endpoint = endpoint
        self._told_at = -TOLD_EVERY_SECONDS

    def emit(self, record: logging.LogRecord) -> None:
        if monotonic() - self._told_at >= TOLD_EVERY_SECONDS:
            self._told_at = monotonic()
            log.warning("traces are lost on their way to %s: %s", self._endpoint, record.getMessage())


def _quiet(endpoint: str) -> None:
    exporter = logging.getLogger("opentelemetry")
    exporter.propagate = False
    exporter.handlers = [_Complaints(endpoint)]
