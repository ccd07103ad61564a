from pathlib import Path

import pytest

from tests.flow.sdk.upper import write_upper


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """A folder with the unit `upper`."""
    return write_upper(tmp_path / "units")
