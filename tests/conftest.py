"""Fixtures that tests of every part share."""

from collections.abc import Iterator

import pytest

from tests.postgres import Postgres, running_postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One embedded Postgres for the test run."""
    with running_postgres() as server:
        yield server
