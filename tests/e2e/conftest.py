"""An installation on each database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.installation import Installation


@pytest.fixture(params=["sqlite", "postgres"])
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Installation]:
    """Not started yet. What its test leaves behind is killed."""
    url = request.getfixturevalue("postgres").new_database() if request.param == "postgres" else None
    with Installation(tmp_path / "state", url) as installation:
        yield installation
