"""Requests on their way through a flow: a buffer each, sent to their unit, and an answer."""

import asyncio
from collections.abc import Iterator
from time import monotonic
from typing import Any

from sanic.exceptions import SanicException
from sanic.http import Http

from server.flow import tracing
from server.flow.http.app import protocol_of, send, send_last
from server.flow.http.exchange import ACCEPTED, STOPPED, AcceptedRequest, PendingRequest
from server.flow.http.protocol import FlowRequest
from server.flow.http.services import REPLY_KEY, Answer, HttpService
from server.flow.http.text import text_of
from server.flow.limits import FlowLimits
from server.flow.mailbox import Mailbox
from server.flow.tracing import RequestTrace
from server.flow.unitapi import Buffer, BufferKind, SessionContext
from server.tracing import Tracing

TOO_MANY = Answer(429)
TOO_LARGE = Answer(413)
CLIENT_GONE = 499
"""No status on the wire: the client did not wait for the answer."""


class Requests:
    """Lives on the event loop."""

    def __init__(self, limits: FlowLimits, mailbox: Mailbox, tracing: Tracing | None) -> None:
        self._loop = asyncio.get_running_loop()
        self._limits = limits
        self._mailbox = mailbox
        self._tracing = tracing
        self._pending: set[PendingRequest] = set()
        self._accepted: set[AcceptedRequest] = set()
        self.are_last = False
        """Whether connections are closed after their answer."""

    @property
    def in_flight(self) -> int:
        return len(self._pending) + len(self._accepted)

    async def finish(self, grace: float) -> None:
        """Returns when all that are in flight now are through, or after `grace` seconds."""
        in_flight: list[asyncio.Future[Any]] = [request.future for request in self._pending]
        in_flight += [request.future for request in self._accepted]
        if in_flight and grace > 0:
            await asyncio.wait(in_flight, timeout=grace)

    def give_up(self) -> None:
        """Answers the rest with 503."""
        for request in self._pending:
            request.settle(STOPPED)

    async def serve(self, service: HttpService, request: FlowRequest, stream: Http) -> None:
        """From what its head says to its answer. Raises: SanicException, when the body is not as it should be."""
        began = monotonic()
        trace = self._begin_trace(service, request)
        status = CLIENT_GONE
        try:
            answer = await self._answer(service, request, stream, trace)
            status = answer.status
        except SanicException as refused:
            status = refused.status_code
            service.tally.note(status, monotonic() - began)
            raise
        finally:
            if trace is not None:
                trace.end(status)
        service.tally.note(answer.status, monotonic() - began)
        if answer is TOO_LARGE:
            await send_last(stream, answer)
        else:
            await send(stream, answer)

    def _begin_trace(self, service: HttpService, request: FlowRequest) -> RequestTrace | None:
        """None when nobody will see it."""
        if self._tracing is None:
            return None
        trace = tracing.begin(self._tracing, request.method, service.endpoint.path, request.headers)
        return trace if trace.span.is_recorded else None

    async def _answer(
        self, service: HttpService, request: FlowRequest, stream: Http, trace: RequestTrace | None
    ) -> Answer:
        if service.in_flight >= service.max_requests:
            return TOO_MANY
        if (stream.request_bytes or 0) > self._limits.max_request_bytes:
            return TOO_LARGE
        protocol_of(stream).keep_alive_timeout = service.keepalive_seconds
        body = b""
        if stream.request_body:
            protocol = protocol_of(stream)
            protocol.reads_body = True
            try:
                body = b"".join([part async for part in stream])
            finally:
                protocol.reads_body = False
            if service.in_flight >= service.max_requests:
                return TOO_MANY
        headers = {name: ", ".join(values) for name, values in _grouped(request)}
        buffer = _buffer(service, request, headers, body)
        context = SessionContext()
        if trace is not None:
            context._values[tracing.KEY] = trace
        if service.answers_at_once:
            self._accept(service, buffer, context)
            answer = ACCEPTED
        else:
            answer = await self._run(service, buffer, headers, context)
        if self.are_last:
            stream.keep_alive = False
        return answer

    async def _run(
        self, service: HttpService, buffer: Buffer, headers: dict[str, str], context: SessionContext
    ) -> Answer:
        """Sends the request through the flow."""
        pending = PendingRequest(self._mailbox, self._loop, headers)
        context.set_private(REPLY_KEY, pending)
        session = service.node.submit(context, buffer, pending.session_ended)
        service.in_flight += 1
        self._pending.add(pending)
        timer = self._loop.call_later(service.time_out_ms / 1000, pending.time_out)
        try:
            return await pending.future
        finally:
            timer.cancel()
            service.in_flight -= 1
            self._pending.discard(pending)
            # streams that a unit keeps open with CONTINUE end with the request
            service.node.scheduler.post(session.shutdown)

    def _accept(self, service: HttpService, buffer: Buffer, context: SessionContext) -> None:
        """Queues the request. It is in flight until its session has ended, though its client has its answer."""

        def ended(_: object) -> None:
            service.in_flight -= 1
            self._accepted.discard(accepted)

        accepted = AcceptedRequest(self._mailbox, self._loop)
        service.node.submit(context, buffer, accepted.session_ended)
        service.in_flight += 1
        self._accepted.add(accepted)
        accepted.future.add_done_callback(ended)


def _grouped(request: FlowRequest) -> Iterator[tuple[str, list[str]]]:
    headers = request.headers
    for name in headers:
        yield name, headers.getall(name)


def _buffer(service: HttpService, request: FlowRequest, headers: dict[str, str], body: bytes) -> Buffer:
    """The request as a buffer, with the metas of spec 7.3."""
    buffer = Buffer(service.node.device)
    text = text_of(headers.get("content-type", ""), body)
    buffer._data = body if text is None else text
    buffer._kind = BufferKind.RAW if text is None else BufferKind.STR
    buffer._metas = {
        "size": len(buffer._data),
        "method": request.method,
        "uri": request.target,
        "endpoint": service.endpoint_text,
        "headers": headers,
    }
    return buffer
