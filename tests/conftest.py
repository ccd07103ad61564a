"""Fixtures that tests of every part share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.installation import Installation
from tests.postgres import Postgres, running_postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One embedded Postgres for the test run."""
    with running_postgres() as server:
        yield server


@pytest.fixture
def sqlite_installation(tmp_path: Path) -> Iterator[Installation]:
    """As `installation`, for what has nothing to do with the database."""
    with Installation(tmp_path / "state") as installation:
        yield installation


@pytest.fixture(params=["sqlite", "postgres"])
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Installation]:
    """Not started yet. What its test leaves behind is killed."""
    url = request.getfixturevalue("postgres").new_database() if request.param == "postgres" else None
    with Installation(tmp_path / "state", url) as installation:
        yield installation
