"""What the pages point to is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted(path.relative_to(ROOT) for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
NAMED = re.compile(r"`((?:server|tests|bench|migrations|conf|script|examples|docs)/(?:[\w/-]|\.(?!\.))+)`")
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_paths_and_links(page: Path) -> None:
    text = (ROOT / page).read_text()
    missing = {path for path in NAMED.findall(text) if not (ROOT / path).exists()}
    missing |= {link for link in LINK.findall(text) if not (ROOT / page.parent / link).exists()}
    assert missing == set()
