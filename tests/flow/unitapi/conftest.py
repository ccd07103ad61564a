"""Each test starts as a process that has loaded no unit yet."""

from collections.abc import Iterator

import pytest

from tests.flow.unitapi.folders import own_modules


@pytest.fixture(autouse=True)
def fresh_modules() -> Iterator[None]:
    with own_modules():
        yield
