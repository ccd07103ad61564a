"""The checksums, as docs/decisions/0008 describes them, made here by other means."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from server.jobs.options import JobOptions
from server.store import Store
from server.store.checksums import BEGINNING, HASHED, Checksum, event_checksum, job_checksum
from tests.jobs.recorded import CREATED, job_after
from tests.postgres import Postgres
from tests.store.jobs import created_and_deleted, query

AT = datetime(2026, 1, 31, 23, 59, 59, 1, tzinfo=UTC)
ROW = (7, "job-a", 1, 3, "engine-ready", 1, '{"b": 1, "a": ["é", null, 0.5]}', "runner", "", None, 2, AT)


def test_the_form_is_the_same_for_ever() -> None:
    """Whoever changes this breaks every log that is out there."""
    data = '{"a":["é",null,0.5],"b":1}'
    line = f'[7,"job-a",1,3,"engine-ready",1,{data},"runner","",null,2,"2026-01-31T23:59:59.000001Z"]'
    expected = sha256(b"previous\n" + line.encode()).hexdigest()

    assert event_checksum(Checksum("previous"), ROW) == expected


@pytest.mark.parametrize(
    ("data", "same"),
    [
        ('{"b":1,"a":2}', '{ "a" : 2, "b" : 1 }'),
        ('{"x":1e3}', '{"x":1000}'),
        ('{"x":60.0}', '{"x":60}'),
        ('{"x":-0.0}', '{"x":0}'),
        ('{"x":1e-7}', '{"x":0.0000001}'),
        ('{"x":"\\u00e9"}', '{"x":"é"}'),
    ],
)
def test_what_jsonb_may_make_of_a_text_has_the_same_checksum(data: str, same: str) -> None:
    assert _checksum(data) == _checksum(same)


@pytest.mark.parametrize("other", ['{"x":2}', '{"x":1.5}', '{"x":"1"}', '{"x":null}', '{"y":1}', '{"x":[1]}'])
def test_other_data_has_another_checksum(other: str) -> None:
    assert _checksum('{"x":1}') != _checksum(other)


def test_a_moment_has_one_checksum_in_all_zones() -> None:
    elsewhere = AT.astimezone(timezone(timedelta(hours=5, minutes=30)))

    assert event_checksum(BEGINNING, (*ROW[:-1], elsewhere)) == event_checksum(BEGINNING, ROW)


def test_each_column_counts() -> None:
    checksums = {event_checksum(BEGINNING, ROW), event_checksum(Checksum("x"), ROW)}
    for place, value in enumerate(
        (8, "job-b", 2, 4, "t", 2, "{}", "x", "x", "x", 3, AT + timedelta(microseconds=1))
    ):
        checksums.add(event_checksum(BEGINNING, (*ROW[:place], value, *ROW[place + 1 :])))

    assert len(checksums) == len(HASHED) + 2


async def test_the_chain_as_another_program_would_check_it(store: Store, url: str) -> None:
    await created_and_deleted(store)
    previous = ""
    for row in query(url, "SELECT * FROM event ORDER BY position"):
        data = row["data"] if isinstance(row["data"], dict) else json.loads(row["data"])
        at = row["recorded_at"]
        if isinstance(at, datetime):
            at = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        columns = [row[name] for name in HASHED]
        columns[HASHED.index("data")], columns[-1] = data, at
        line = json.dumps(columns, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
        previous = sha256(f"{previous}\n{line}".encode()).hexdigest()
        assert row["checksum"] == previous
    assert [row["checksum"] for row in query(url, "SELECT checksum FROM log_head")] == [previous]


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(-1e15, 1e15)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    max_leaves=20,
)


@pytest.fixture(scope="module")
def connection(postgres: Postgres) -> Iterator[psycopg.Connection[Any]]:
    with postgres.connect() as connection:
        yield connection


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.dictionaries(TEXTS, VALUES))
def test_jsonb_changes_no_checksum(connection: psycopg.Connection[Any], data: dict[str, Any]) -> None:
    text = json.dumps(data)
    row = connection.execute("SELECT CAST(CAST(%s AS jsonb) AS text)", (text,)).fetchone()
    assert row is not None
    assert _checksum(row[0]) == _checksum(text)


def _checksum(data: str) -> Checksum:
    return event_checksum(BEGINNING, (*ROW[:6], data, *ROW[7:]))


def test_the_order_of_labels_does_not_count() -> None:
    """Postgres gives them back in its own."""
    one, other = ({"version": "2", "changed": "y"}, {"changed": "y", "version": "2"})
    job = job_after(CREATED)
    sums = {job_checksum(replace(job, options=JobOptions(labels=labels))) for labels in (one, other)}
    assert len(sums) == 1
