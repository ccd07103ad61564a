"""From a URL to a database."""

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from server.store.database import Database, one_line
from server.store.errors import StoreUnavailable
from server.store.postgres import PostgresDatabase
from server.store.sqlite import SqliteDatabase

POSTGRES_SCHEMES = ("postgresql", "postgres", "postgresql+psycopg")


def database_of(url: str) -> Database:
    """The database that `url` names: sqlite:////absolute/path.db or postgresql://user:password@host/name.

    Raises: StoreUnavailable, when it names none.
    """
    scheme, _, rest = url.partition("://")
    path = rest.removeprefix("/")
    if scheme == "sqlite" and rest.startswith("/") and path not in ("", ":memory:"):
        return SqliteDatabase(Path(path).absolute())
    if scheme not in POSTGRES_SCHEMES:
        raise StoreUnavailable(
            f"no database of ours: {scheme}://…; use sqlite:////absolute/path.db or postgresql://user@host/name"
        )
    try:
        return PostgresDatabase(sa.make_url(f"postgresql+psycopg://{rest}"))
    except (SQLAlchemyError, ValueError) as error:
        raise StoreUnavailable(f"the database URL ({scheme}://…) cannot be read: {one_line(error)}") from error
