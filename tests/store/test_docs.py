"""docs/sql.md shows what its queries answer. To write the answers anew, run this with UPDATE_DOCS=1."""

import os
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from server.store import Store
from tests.store.jobs import query
from tests.store.story import tell

PAGE = Path(__file__).parents[2] / "docs" / "sql.md"
EXAMPLE = re.compile(r"```sql\n(?P<sql>.*?)\n```\n```text\n(?P<output>.*?)```", re.DOTALL)


@pytest.fixture
async def told(store: Store, url: str) -> Store:
    await tell(store, url)
    assert await store.verify() == []
    return store


@pytest.mark.parametrize("kind", ["sqlite"])
async def test_the_page_shows_what_the_database_answers(told: Store, url: str) -> None:
    page = PAGE.read_text()
    shown = _with_answers(page, url, _as_is)
    if os.environ.get("UPDATE_DOCS"):
        PAGE.write_text(shown)

    assert PAGE.read_text() == shown


async def test_every_question_has_its_answer_on_both_databases(told: Store, url: str) -> None:
    """Only how a time is written may differ."""
    page = PAGE.read_text()

    assert len(EXAMPLE.findall(page)) >= 10
    assert _without_layout(_with_answers(page, url, _time_text)) == _without_layout(page)


def _with_answers(page: str, url: str, write: Callable[[Any], str]) -> str:
    def answered(match: re.Match[str]) -> str:
        rows = query(url, match["sql"].rstrip(";").replace(":", r"\:"))
        assert rows, match["sql"]
        return f"```sql\n{match['sql']}\n```\n```text\n{_table(rows, write)}```"

    return EXAMPLE.sub(answered, page)


def _table(rows: list[dict[str, Any]], write: Callable[[Any], str]) -> str:
    """As `sqlite3 -header -column` shows them."""
    cells = [list(rows[0]), *([write(value) for value in row.values()] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    lines = [cells[0], ["-" * width for width in widths], *cells[1:]]
    padded = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
    return "".join(f"{line.rstrip()}\n" for line in padded)


def _as_is(value: Any) -> str:
    return "" if value is None else str(value).replace("\n", " ")


def _time_text(value: Any) -> str:
    return value.isoformat(timespec="microseconds")[:26] + "Z" if isinstance(value, datetime) else _as_is(value)


def _without_layout(page: str) -> str:
    return re.sub(r"[ -]+", " ", page)
