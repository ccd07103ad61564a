"""Tokens in both databases."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from server.jobs.access import Role, Token, id_in, new_token_text, sha256_of
from server.store import Refused, SchemaOutdated, StoreUnavailable, backup
from server.store.tokens import TokenReader, add_token, all_tokens, revoke_token, valid_tokens
from tests.store.jobs import query


def made(name: str, **more: object) -> tuple[str, Token]:
    text = new_token_text()
    token = Token(
        id=id_in(text) or "",
        name=name,
        role=Role.OPERATE,
        scope={"team": "ä", "site": "north"},
        sha256=sha256_of(text),
        created_at=datetime.now(UTC),
    )
    return text, replace(token, **more)


async def read(url: str) -> tuple[Token, ...]:
    reader = TokenReader(url)
    try:
        return await reader.read()
    finally:
        await reader.close()


async def test_a_token_is_read_as_it_was_written(url: str) -> None:
    text, token = made("ci", expires_at=datetime.now(UTC) + timedelta(days=1))
    await asyncio.to_thread(add_token, url, token)
    assert await read(url) == (token,)
    assert token.is_of(text)


def test_no_secret_gets_into_the_database(url: str) -> None:
    text, token = made("ci")
    add_token(url, token)
    rows = str(query(url, "SELECT * FROM token"))
    assert token.sha256 in rows
    assert text.rpartition("_")[2] not in rows


async def test_a_revoked_token_is_kept_and_counts_no_more(url: str) -> None:
    _, token = made("ci")
    add_token(url, token)
    revoked = await asyncio.to_thread(revoke_token, url, "ci")
    assert await read(url) == valid_tokens(url) == ()
    assert all_tokens(url) == (revoked,)
    assert revoked == replace(token, revoked_at=revoked.revoked_at)
    with pytest.raises(Refused, match="there is no token 'ci' that could be revoked"):
        revoke_token(url, "ci")


def test_an_expired_token_is_not_valid(url: str) -> None:
    add_token(url, made("old", expires_at=datetime.now(UTC) - timedelta(seconds=1))[1])
    assert valid_tokens(url) == ()


def test_a_name_is_one_tokens_until_that_is_revoked(url: str) -> None:
    first, second = made("ci")[1], made("ci")[1]
    add_token(url, first)
    with pytest.raises(Refused, match=r"there is a token 'ci' already \(mbx_"):
        add_token(url, second)
    revoke_token(url, "ci")
    add_token(url, second)
    assert [token.id for token in valid_tokens(url)] == [second.id]


def test_a_token_can_be_revoked_by_how_it_begins(url: str) -> None:
    for name in ("a", "b", "c"):
        add_token(url, made(name)[1])
    a, b, _ = all_tokens(url)
    assert revoke_token(url, a.shown).name == "a"
    assert revoke_token(url, f"mbx_{b.id}").name == "b"
    assert [token.name for token in valid_tokens(url)] == ["c"]


def test_a_database_without_a_schema_is_told(empty_url: str) -> None:
    with pytest.raises((SchemaOutdated, StoreUnavailable), match="modelbox-server db upgrade"):
        add_token(empty_url, made("ci")[1])


def test_tokens_are_in_a_backup(url: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    _, token = made("ci")
    add_token(url, token)
    copy = tmp_path_factory.mktemp("backup") / "copy.db"
    backup(url, copy)
    assert all_tokens(f"sqlite:///{copy}") == (token,)
