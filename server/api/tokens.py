"""The tokens that let somebody in, kept as new as the table."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

import structlog

from server.jobs.access import Token, id_in
from server.jobs.errors import NotAuthenticated
from server.store import StoreUnavailable
from server.store.tokens import TokenReader

log = structlog.get_logger()

LOOK_SECONDS = 0.5
"""Between two looks at the table: how late a revocation takes effect."""
PAUSE_SECONDS = 0.05
"""Between two looks at least: who tries tokens that are none has the table read so often, and no more."""
INVALID = ', error="invalid_token"'


class TokenList:
    """Run `run()` in a task of its own. Until a look has succeeded, nobody is let in."""

    def __init__(self, reader: TokenReader) -> None:
        self._reader = reader
        self._by_id: dict[str, Token] = {}
        self._wanted = asyncio.Event()
        self._waiting: list[asyncio.Future[None]] = []
        self._reason = ""
        self._subscribers: list[Callable[[], None]] = []

    def subscribe(self, looked: Callable[[], None]) -> None:
        """Calls `looked` after each look."""
        self._subscribers.append(looked)

    async def find(self, text: str) -> Token:
        """The token that `text` is. Raises: NotAuthenticated; StoreUnavailable, when that cannot be told now."""
        token_id = id_in(text)
        if token_id is None:
            raise NotAuthenticated("this is no token of this server", INVALID)
        if token_id not in self._by_id:
            await self._look()  # it may have been made a moment ago
        token = self._by_id.get(token_id)
        if token is None or not token.is_of(text):
            raise NotAuthenticated("there is no such token, or it was revoked", INVALID)
        if token.has_expired(datetime.now(UTC)):
            raise NotAuthenticated(
                f"token '{token.name}' has expired, at {token.expires_at:%Y-%m-%dT%H:%M:%SZ}", INVALID
            )
        return token

    def lets_in(self, token: Token) -> bool:
        """Whether a token that was found still counts."""
        return token.id in self._by_id and not token.has_expired(datetime.now(UTC))

    async def run(self) -> None:
        while True:
            waiting, self._waiting = self._waiting, []
            self._wanted.clear()
            try:
                tokens = await self._reader.read()
            except StoreUnavailable as error:
                self._complain(str(error))
                _answer(waiting, error)
            else:
                self._complain("")
                self._by_id = {token.id: token for token in tokens}
                _answer(waiting, None)
            for subscriber in self._subscribers:
                subscriber()
            await asyncio.sleep(PAUSE_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS - PAUSE_SECONDS):
                    await self._wanted.wait()

    async def _look(self) -> None:
        """Waits for a look that begins from now on."""
        looked: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(looked)
        self._wanted.set()
        await looked

    def _complain(self, reason: str) -> None:
        if reason and reason != self._reason:
            log.error("the tokens cannot be read; those known count on", reason=reason)
        self._reason = reason


def _answer(waiting: list[asyncio.Future[None]], error: StoreUnavailable | None) -> None:
    for looked in waiting:
        if looked.done():
            continue  # who asked has gone
        if error is None:
            looked.set_result(None)
        else:
            looked.set_exception(error)
