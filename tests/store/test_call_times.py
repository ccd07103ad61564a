"""How long the database takes is counted by kind of call, calls that fail included."""

import contextlib
from pathlib import Path

import sqlalchemy as sa

from server.store import StoreUnavailable, upgrade
from server.store.call_times import together
from server.store.session import Session
from server.store.urls import database_of


def test_calls_are_counted_by_their_kind(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'm.db'}"
    upgrade(url)
    one, other = Session(database_of(url)), Session(database_of(url))
    assert together([one.times, other.times]) == {}
    for session in (one, other):
        session.read(lambda connection: connection.scalar(sa.text("SELECT 1")))
    one.write(lambda _: (None, False))
    with contextlib.suppress(StoreUnavailable):
        other.write(lambda connection: (connection.scalar(sa.text("SELECT nothing")), False))
    one.close()
    other.close()
    times = together([one.times, other.times])
    assert {kind: durations.count for kind, durations in times.items()} == {"read": 2, "write": 2}
    assert times["write"].seconds > 0
