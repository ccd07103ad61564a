"""The Sanic application of a flow: one catch-all for every request."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, cast

from sanic import Sanic
from sanic.config import Config
from sanic.exceptions import PayloadTooLarge, RequestCancelled, SanicException
from sanic.http import Http, Stage

from server.flow.http import wire
from server.flow.http.protocol import FlowProtocol, FlowRequest
from server.flow.http.services import Answer
from server.flow.limits import FlowLimits
from server.flow.units.http_reply import error_answer

LARGE = 65536
LINGER_SECONDS = 5.0
log = logging.getLogger("server.flow")


class FlowApp(Sanic[Config, Any]):
    """Sanic's server and protocol with our request class and handler. Routing, middleware and signals are not
    used, so they cost nothing."""

    def __init__(self, name: str, limits: FlowLimits, handler: Callable[[FlowRequest], Awaitable[None]]) -> None:
        config = Config(env_prefix="")
        config.ACCESS_LOG = False
        config.REQUEST_MAX_SIZE = limits.max_request_bytes
        config.REQUEST_TIMEOUT = limits.request_seconds  # type: ignore[assignment]
        super().__init__(name, config=config, configure_logging=False)
        self.request_class = FlowRequest  # type: ignore[assignment]
        self.ctx.handler = handler

    async def dispatch(self, *args: Any, **kwargs: Any) -> None:  # type: ignore[override]
        """Nobody listens to signals here."""

    async def handle_request(self, request: FlowRequest) -> None:  # type: ignore[override]
        await self.ctx.handler(request)

    async def handle_exception(  # type: ignore[override]
        self, request: FlowRequest, exception: BaseException, run_middleware: bool = True
    ) -> None:
        stream = request.stream
        assert stream is not None
        if isinstance(exception, RequestCancelled) or protocol_of(stream).pipe.is_closing():
            finish(stream)
            return
        await send_last(stream, _answer_to(request, exception))

    def forget(self) -> None:
        """Sanic keeps a register of all apps; this one leaves it."""
        Sanic.unregister_app(self)


def protocol_of(stream: Http) -> FlowProtocol:
    return cast(FlowProtocol, stream.protocol)


async def send(stream: Http, answer: Answer) -> None:
    """Sends a complete response, and leaves the connection ready for the next request or for being closed."""
    if stream.expecting_continue:
        # the client holds its body back: whether it will still send it nobody knows, so this is the last answer
        stream.expecting_continue = False
        stream.keep_alive = False
        stream.request_body = None
    protocol = protocol_of(stream)
    head = wire.head_of(answer, stream.keep_alive)
    if stream.head_only or not wire.has_body(answer.status):
        await protocol.write(head)
    elif wire.size_of(answer) < LARGE:
        await protocol.write(head + answer.body)
    else:
        await protocol.write(head)
        await protocol.write(answer.body)
    finish(stream)


async def send_last(stream: Http, answer: Answer) -> None:
    """Sends a response after which the connection is closed, as what follows on it is not known or not wanted.

    What the client still sends is read for a while: closing with unread data would reset the connection, and
    the client might never see the answer.
    """
    stream.keep_alive = False
    await send(stream, answer)
    stream.request_body = None
    protocol = protocol_of(stream)
    with suppress(TimeoutError, OSError, RuntimeError):
        if protocol.pipe.can_write_eof():
            protocol.pipe.write_eof()
        async with asyncio.timeout(LINGER_SECONDS):
            while True:
                stream.recv_buffer.clear()
                await protocol.read_more()


def finish(stream: Http) -> None:
    stream.response_func = None  # type: ignore[assignment]
    stream.stage = Stage.IDLE


def _answer_to(request: FlowRequest, exception: BaseException) -> Answer:
    if isinstance(exception, PayloadTooLarge):
        return Answer(431 if request.method == "NONE" else 413)
    if isinstance(exception, SanicException):
        return Answer(exception.status_code)
    log.error("a request failed inside the server", exc_info=exception)
    return error_answer("Internal", "the server failed on this request")
