"""Durations by size."""

import pytest

from server.tally import Durations, Tally, total


def test_a_duration_is_counted_below_the_first_bound_that_holds_it() -> None:
    tally = Tally((0.1, 1.0))
    for seconds in (0.05, 0.1, 0.2, 5.0):
        tally.note(seconds)
    assert tally.read() == Durations((0.1, 1.0), (2, 1, 1), pytest.approx(5.35))
    assert tally.read().count == 4


def test_what_was_read_stays_as_it_was() -> None:
    tally = Tally((1.0,))
    before = tally.read()
    tally.note(0.5)
    assert before.counts == (0, 0)


def test_a_total_is_the_sum_of_its_parts() -> None:
    assert total([]) is None
    assert total([Durations((1.0,), (1, 2), 3.0), Durations((1.0,), (10, 20), 30.0)]) == Durations(
        (1.0,), (11, 22), 33.0
    )
