"""One request that is in the flow, until its answer (spec 7.3)."""

import asyncio
from collections.abc import Mapping
from functools import partial

from server.flow.http.services import Answer
from server.flow.mailbox import Mailbox
from server.flow.run.streams import Session
from server.flow.units.http_reply import error_answer

TIMED_OUT = Answer(408)
STOPPED = Answer(503)
ACCEPTED = Answer(202)


class PendingRequest:
    """The `Exchange` of a request. `future` is the loop's; `answer` and `session_ended` come from workers."""

    __slots__ = ("_answered", "_mailbox", "future", "request_headers")

    def __init__(self, mailbox: Mailbox, loop: asyncio.AbstractEventLoop, headers: Mapping[str, str]) -> None:
        self.future: asyncio.Future[Answer] = loop.create_future()
        self.request_headers = headers
        self._mailbox = mailbox
        self._answered = False

    def answer(self, answer: Answer) -> None:
        if not self._answered:
            self._answered = True
            self._mailbox.post(partial(self.settle, answer))

    def session_ended(self, session: Session) -> None:
        """Whatever was to come has come. Without a reply the client would wait for its time-out in vain: a
        server error, because the flow, not the client, left the request without an answer."""
        if self._answered:
            return
        code, message = session.error or ("NoReply", "the flow ended this request without a reply")
        self.answer(error_answer(code, message))

    def settle(self, answer: Answer) -> None:
        """On the loop. The first answer counts."""
        if not self.future.done():
            self.future.set_result(answer)

    def time_out(self) -> None:
        self.settle(TIMED_OUT)


class AcceptedRequest:
    """A request whose client was told 202. `future` is done when its session has ended."""

    __slots__ = ("_mailbox", "future")

    def __init__(self, mailbox: Mailbox, loop: asyncio.AbstractEventLoop) -> None:
        self.future: asyncio.Future[None] = loop.create_future()
        self._mailbox = mailbox

    def session_ended(self, session: Session) -> None:
        self._mailbox.post(partial(self.future.set_result, None))
