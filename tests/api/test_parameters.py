"""Query parameters against a struct: what is good arrives typed, what is not is named."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
import pytest
from sanic import Request

from server.api.parameters import InvalidParameter, query_of


class Wanted(msgspec.Struct, frozen=True):
    limit: Annotated[int, msgspec.Meta(ge=1, le=10)] = 5
    status: Annotated[tuple[str, ...], msgspec.Meta(description="many")] = ()
    since: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    loud: bool = False


def parsed(query: str) -> Wanted:
    request = Request(f"/x?{query}".encode(), {}, "1.1", "GET", None, None)  # type: ignore[arg-type]
    return query_of(request, Wanted)


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("", Wanted()),
        ("limit=10&loud=true", Wanted(limit=10, loud=True)),
        ("status=a,b&status=c", Wanted(status=("a", "b", "c"))),
        ("since=2026-01-31T01:02:03Z", Wanted(since=datetime(2026, 1, 31, 1, 2, 3, tzinfo=UTC))),
        ("since=2026-01-31T03:02:03%2B02:00", Wanted(since=datetime(2026, 1, 31, 1, 2, 3, tzinfo=UTC))),
    ],
)
def test_good_ones(query: str, wanted: Wanted) -> None:
    assert parsed(query) == wanted


@pytest.mark.parametrize(
    ("query", "field", "words"),
    [
        ("limits=1", "limits", "there are: limit, status, since, loud"),
        ("limit=11", "limit", "<= 10"),
        ("limit=x", "limit", "expected int"),
        ("limit=", "limit", "expected int"),
        ("limit=1&limit=2", "limit", "given twice"),
        ("since=yesterday", "since", "datetime"),
        ("since=2026-01-31T01:02:03", "since", "timezone"),
        ("loud=perhaps", "loud", "bool"),
        ("%ff%00=1", "\ufffd\0", "no such parameter"),
        ("x" * 5000, "x" * 64 + "…", "no such parameter"),
    ],
)
def test_bad_ones_are_named(query: str, field: str, words: str) -> None:
    with pytest.raises(InvalidParameter, match=r"^request invalid, invalid command, query parameter '") as caught:
        parsed(query)
    assert caught.value.place is not None
    assert caught.value.place.field == field
    assert words in str(caught.value)
