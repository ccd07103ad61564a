"""One server for the tests of a file, and a shell to it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.program import Shell
from tests.installation import Installation


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with Installation(tmp_path_factory.mktemp("cli") / "state") as installation:
        yield installation.start()


@pytest.fixture
def shell(server: Installation, tmp_path: Path) -> Shell:
    return Shell(tmp_path, f"http://127.0.0.1:{server.port}")
