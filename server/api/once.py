"""A request with an Idempotency-Key: carried out once, and answered the same however often it is sent."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import structlog
from msgspec.structs import replace
from sanic import HTTPResponse, Request
from sanic.exceptions import SanicException

from server.api.answers import SECURITY_HEADERS, answer, job_error_answer
from server.api.care import condition_of, fingerprint_of, key_of
from server.api.endpoint import VALIDATE
from server.api.owner import this_process
from server.api.visitor import visitor_of
from server.failpoints import Failpoint, hit
from server.jobs.commands import Context
from server.jobs.errors import JobError, KeyReused, StillAnswering
from server.jobs.once import AlreadyAnswered, KeptAnswer, Name, Once
from server.jobs.state import Job
from server.store import CannotStore, Store, StoreUnavailable
from server.store.keyed import check_same

log = structlog.get_logger()

REPLAYED = "Idempotency-Replayed"
MOST_KEPT = 64 * 1024
"""Bytes of an answer that is kept. A longer one is made anew: what was done is not done again all the same."""
NOT_NOW = frozenset({409, 429})
"""Refusals of what may be asked again with the same key."""

Handle = Callable[[], Awaitable[HTTPResponse]]
Handler = Callable[..., Coroutine[Any, Any, HTTPResponse]]


class OnceOnly:
    """Requests with a key that this process works on. On the event loop."""

    def __init__(self, store: Store, keep_seconds: float, longest_request: float) -> None:
        self._store = store
        self._keep_seconds = keep_seconds
        self._trusted = timedelta(seconds=longest_request)
        self._owner = this_process()
        self._under_way: dict[Name, asyncio.Task[HTTPResponse]] = {}

    def once_of(self, request: Request, key: str) -> Once:
        visitor = visitor_of(request)
        return Once(
            client=visitor.principal or visitor.actor,
            key=key,
            fingerprint=fingerprint_of(request),
            owner=self._owner.text,
            keep_seconds=self._keep_seconds,
        )

    async def answer(self, request: Request, once: Once, handle: Handle) -> HTTPResponse:
        """What `handle` answers, or has answered before. It goes on when nobody waits for it any more.

        Raises: KeyReused, StillAnswering, StoreUnavailable; what `handle` raises and is no answer to be kept.
        """
        if once.name in self._under_way:
            raise StillAnswering
        task = asyncio.create_task(self._answer(request, once, handle), name="request with a key")
        self._under_way[once.name] = task
        task.add_done_callback(partial(self._done, once.name))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_tell_fault)
            raise

    async def close(self) -> None:
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _done(self, name: Name, task: "asyncio.Task[HTTPResponse]") -> None:
        del self._under_way[name]
        if not task.cancelled():
            task.exception()  # told to who waits; when nobody does, there is nobody to tell

    async def _answer(self, request: Request, once: Once, handle: Handle) -> HTTPResponse:
        try:
            request.ctx.once = await self._resumable(once)
            response = await handle()
        except AlreadyAnswered as before:
            return _replayed(before.answer)
        except (KeyReused, StillAnswering):
            raise
        except JobError as error:
            response = job_error_answer(error)
        if response.status < 500 and response.status not in NOT_NOW:
            await self._keep(once, response)
        return response

    async def _resumable(self, once: Once) -> Once:
        """`once`, with who has begun it, if they are gone. Raises: AlreadyAnswered, KeyReused, StillAnswering."""
        begun = await self._store.find_keyed(once)
        if begun is None:
            return once
        check_same(begun, once)
        if begun.owner == once.owner:
            return once
        if not self._owner.is_gone(begun.owner, begun.begun_at, datetime.now(UTC), self._trusted):
            raise StillAnswering
        return replace(once, takes_over=begun.owner)

    async def _keep(self, once: Once, response: HTTPResponse) -> None:
        body = response.body or b""
        if len(body) > MOST_KEPT:
            return
        headers = {name: value for name, value in response.headers.items() if name not in SECURITY_HEADERS}
        kept = KeptAnswer(response.status, headers, body.decode())
        try:
            await self._store.keep_answer(Context(actor=once.client, once=once), kept)
        except (StoreUnavailable, CannotStore) as error:
            log.warning("an answer is not kept, and is made anew when it is asked for again", reason=str(error))
        hit(Failpoint.API_ANSWER_KEPT)


def carefully(handler: Handler) -> Handler:
    """The handler of a request that changes something, with what its head demands (see care.py) observed. What
    `context_of` gives for it has that in it."""

    async def handle(request: Request, rest: str = "") -> HTTPResponse:
        if request.method == "POST" and rest == VALIDATE:  # changes nothing
            return await handler(request, rest)
        request.ctx.condition = condition_of(request)
        key = key_of(request)
        if key is None:
            return await _tagged(handler, request, rest)
        once_only: OnceOnly = request.app.ctx.once_only
        tagged = partial(_tagged, handler, request, rest)
        return await once_only.answer(request, once_only.once_of(request, key), tagged)

    return handle


def show_tag_of(request: Request, job: Job) -> None:
    """Has the answer say the tag of `job`, which it shows or is about."""
    request.ctx.job_shown = job


async def _tagged(handler: Handler, request: Request, rest: str) -> HTTPResponse:
    response = await handler(request, rest)
    job: Job | None = getattr(request.ctx, "job_shown", None)
    if job is not None and response.status < 300:
        response.headers.update(request.app.ctx.view.headers_of(job))
    return response


def _tell_fault(task: "asyncio.Task[HTTPResponse]") -> None:
    """Nobody waits for the answer: what is our own fault would be told to nobody."""
    error = None if task.cancelled() else task.exception()
    if error is not None and not isinstance(error, (JobError, StoreUnavailable, SanicException)):
        log.error("request failed", exc_info=error)


def _replayed(kept: KeptAnswer) -> HTTPResponse:
    return answer(kept.status, kept.body.encode(), {**kept.headers, REPLAYED: "true"})
