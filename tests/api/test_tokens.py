"""The list of tokens in memory: as new as the table, and closed when nothing can be told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime

import pytest

from server.api.tokens import TokenList
from server.jobs.access import Role, Token, id_in, new_token_text, sha256_of
from server.jobs.errors import NotAuthenticated
from server.store import StoreUnavailable, upgrade
from server.store.tokens import TokenReader, add_token, revoke_token


class Reader(TokenReader):
    """Counts its looks, and fails when it is told to."""

    looks = 0
    is_away = False

    async def read(self) -> tuple[Token, ...]:
        self.looks += 1
        if self.is_away:
            raise StoreUnavailable("it is away")
        return await super().read()


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('tokens') / 'tokens.db'}"
    upgrade(url)
    return url


@pytest.fixture
async def reader(url: str) -> AsyncIterator[Reader]:
    reader = Reader(url)
    yield reader
    await reader.close()


@pytest.fixture
async def tokens(reader: Reader) -> AsyncIterator[TokenList]:
    tokens = TokenList(reader)
    running = asyncio.create_task(tokens.run())
    yield tokens
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


def make(url: str, name: str) -> str:
    text = new_token_text()
    token = Token(
        id=id_in(text) or "",
        name=name,
        role=Role.READ,
        scope={},
        sha256=sha256_of(text),
        created_at=datetime.now(UTC),
    )
    add_token(url, token)
    return text


async def test_a_new_token_counts_at_once(url: str, tokens: TokenList) -> None:
    assert (await tokens.find(await asyncio.to_thread(make, url, "new"))).name == "new"


async def test_a_revoked_one_counts_until_the_next_look(url: str, tokens: TokenList) -> None:
    text = await asyncio.to_thread(make, url, "old")
    token = await tokens.find(text)
    assert tokens.lets_in(token)
    looked = asyncio.Event()
    await asyncio.to_thread(revoke_token, url, "old")
    tokens.subscribe(looked.set)
    async with asyncio.timeout(20):
        while tokens.lets_in(token):
            await looked.wait()
            looked.clear()
    with pytest.raises(NotAuthenticated, match="no such token, or it was revoked"):
        await tokens.find(text)


async def test_many_who_try_what_is_none_share_a_look(reader: Reader, tokens: TokenList) -> None:
    tries = [tokens.find(new_token_text()) for _ in range(500)]
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert all(isinstance(result, NotAuthenticated) for result in results)
    assert reader.looks <= 3


async def test_what_has_not_the_form_of_a_token_costs_no_look(reader: Reader) -> None:
    with pytest.raises(NotAuthenticated):
        await TokenList(reader).find("garbage")
    assert reader.looks == 0


async def test_nobody_is_let_in_before_the_table_was_read(url: str, reader: Reader, tokens: TokenList) -> None:
    text = await asyncio.to_thread(make, url, "early")
    reader.is_away = True
    with pytest.raises(StoreUnavailable):
        await tokens.find(text)
    reader.is_away = False
    assert (await tokens.find(text)).name == "early"


async def test_known_tokens_count_while_the_database_is_away(url: str, reader: Reader, tokens: TokenList) -> None:
    text = await asyncio.to_thread(make, url, "known")
    token = await tokens.find(text)
    reader.is_away = True
    with pytest.raises(StoreUnavailable):
        await tokens.find(new_token_text())
    assert await tokens.find(text) == token
    assert tokens.lets_in(token)


async def test_who_gives_up_waiting_is_forgotten(tokens: TokenList) -> None:
    waiting = asyncio.create_task(tokens.find(new_token_text()))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(NotAuthenticated):
        await tokens.find(new_token_text())
    with pytest.raises(asyncio.CancelledError):
        await waiting
