import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from server.store import Store, upgrade
from tests.postgres import Postgres, running_postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with running_postgres(durable=False) as server:
        yield server


@pytest.fixture(scope="session")
def migrated() -> dict[str, str]:
    """Databases with an up-to-date schema to copy, by kind; migrating each test's own would take longer."""
    return {}


@pytest.fixture(params=["sqlite", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    """Every test that uses this, or `url`, or `store`, runs once on each database."""
    return str(request.param)


@pytest.fixture
def empty_url(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where a database may be made."""
    if kind == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    url = server.new_database()
    yield url
    server.drop_database(url)


@pytest.fixture
def url(
    kind: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    migrated: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """A fresh database with the current schema."""
    if kind == "sqlite":
        if kind not in migrated:
            template = tmp_path_factory.mktemp("template") / "test.db"
            upgrade(f"sqlite:///{template}")
            migrated[kind] = str(template)
        shutil.copy(migrated[kind], tmp_path / "test.db")
        yield f"sqlite:///{tmp_path / 'test.db'}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    if kind not in migrated:
        migrated[kind] = server.new_database()
        upgrade(migrated[kind])
    url = server.new_database(migrated[kind])
    yield url
    server.drop_database(url)


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    opened = await Store.open(url)
    yield opened
    await opened.close()
