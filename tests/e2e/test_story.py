"""docs/story.md is what happens."""

import shutil
from pathlib import Path

import pytest

from tests.e2e.story import PAGE, Story, comparable
from tests.installation import Installation


@pytest.mark.skipif(not shutil.which("curl"), reason="needs the tool that the page uses")
def test_the_story_is_true(sqlite_installation: Installation, tmp_path: Path) -> None:
    told = Story(sqlite_installation.start(), tmp_path).told(PAGE.read_text())
    assert comparable(told) == comparable(PAGE.read_text())


def test_the_page_has_a_whole_story() -> None:
    page = PAGE.read_text()
    assert [line for line in page.splitlines() if line.startswith("## ")] == [
        f"## {part}" for part in ("Create", "Break", "See why", "Mend", "Roll back", "Watch", "Delete")
    ]
