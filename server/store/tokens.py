"""Tokens in the database: made and revoked by commands, read by each API process again and again."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa

from server.failpoints import Failpoint, hit
from server.jobs.access import Role, Token
from server.store import schema
from server.store.errors import Refused
from server.store.reader import Reader
from server.store.seen import Watermark
from server.store.session import Session
from server.store.tables import TOKEN
from server.store.urls import database_of

T = TypeVar("T")


def add_token(url: str, token: Token) -> None:
    """Blocking.

    Raises: Refused, when another token has that name; StoreUnavailable, SchemaOutdated, SchemaTooNew.
    """

    def add(connection: sa.Connection) -> tuple[None, bool]:
        same = connection.execute(_not_revoked().where(TOKEN.c.name == token.name)).one_or_none()
        if same is not None:
            raise Refused(
                f"there is a token '{token.name}' already ({_token_of(same).shown}); give another name, or revoke"
                f" that one first: `modelbox-server token revoke {token.name}`"
            )
        connection.execute(sa.insert(TOKEN).values(**_values(token)))
        return None, True

    _with_session(url, lambda session: session.write(add))


def all_tokens(url: str) -> tuple[Token, ...]:
    """Revoked ones too, in the order of their making. Blocking. Raises: as `add_token`."""
    return _with_session(url, lambda session: session.read(_all))


def valid_tokens(url: str) -> tuple[Token, ...]:
    """Those that let somebody in now. Blocking. Raises: as `add_token`."""
    now = datetime.now(UTC)
    return tuple(token for token in all_tokens(url) if token.state(now) == "valid")


def revoke_token(url: str, name: str) -> Token:
    """Revokes the token of that name, or the one whose public part is in `name`. Blocking.

    Raises: Refused, when there is none; StoreUnavailable, SchemaOutdated, SchemaTooNew.
    """

    def revoke(connection: sa.Connection) -> tuple[Token, bool]:
        for row in connection.execute(_not_revoked()):
            token = _token_of(row)
            if name in (token.name, token.shown, token.shown.rstrip("_…"), token.id):
                now = datetime.now(UTC)
                connection.execute(sa.update(TOKEN).where(TOKEN.c.id == token.id).values(revoked_at=now))
                return msgspec.structs.replace(token, revoked_at=now), True
        raise Refused(f"there is no token '{name}' that could be revoked; see `modelbox-server token list`")

    return _with_session(url, lambda session: session.write(revoke))


class TokenReader:
    """A thread that reads the tokens, for a server."""

    def __init__(self, url: str) -> None:
        """Raises: StoreUnavailable, for a URL that names no database."""
        database = database_of(url)
        self._reader = Reader(database, "store-tokens", Watermark(str(database)))

    async def read(self) -> tuple[Token, ...]:
        """All that are not revoked; they may have expired. Raises: StoreUnavailable."""
        return await self._reader.ask(_read)

    async def read_all(self) -> tuple[Token, ...]:
        """Revoked ones too. Raises: StoreUnavailable."""
        return await self._reader.ask(_all)

    async def close(self) -> None:
        await self._reader.close()


def _read(connection: sa.Connection) -> tuple[Token, ...]:
    hit(Failpoint.API_READ_TOKENS)
    return tuple(_token_of(row) for row in connection.execute(_not_revoked()))


def _all(connection: sa.Connection) -> tuple[Token, ...]:
    rows = connection.execute(sa.select(TOKEN).order_by(TOKEN.c.created_at, TOKEN.c.id))
    return tuple(_token_of(row) for row in rows)


def _not_revoked() -> sa.Select[Any]:
    return sa.select(TOKEN).where(TOKEN.c.revoked_at.is_(None))


def _token_of(row: Any) -> Token:
    values = dict(row._mapping)
    values["role"] = Role(values["role"])
    values["scope"] = msgspec.json.decode(values["scope"], type=dict[str, str])
    return Token(**values)


def _values(token: Token) -> dict[str, Any]:
    return msgspec.structs.asdict(token) | {"scope": msgspec.json.encode(token.scope).decode()}


def _with_session(url: str, use: Callable[[Session], T]) -> T:
    session = Session(database_of(url))
    try:
        session.read(lambda connection: schema.check(session.database, connection))
        return use(session)
    finally:
        session.close()
