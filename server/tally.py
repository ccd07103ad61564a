"""How often something took how long: counted where it happens, for next to nothing, and told as a value."""

from bisect import bisect_left
from collections.abc import Iterable

import msgspec

SHORT_SECONDS = (0.0001, 0.001, 0.01, 0.1, 1.0)
"""Bounds for what is done many times a second."""
REQUEST_SECONDS = (0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0)
"""Bounds for what somebody waits for."""


class Durations(msgspec.Struct, frozen=True):
    """`counts[n]` took at most `bounds[n]` seconds and more than the bound before; the last one took longer than
    all of them. `seconds`: the sum of all."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    seconds: float

    @property
    def count(self) -> int:
        return sum(self.counts)


class Tally:
    """Written by one thread, or under one lock; read from anywhere."""

    __slots__ = ("bounds", "counts", "seconds")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.seconds = 0.0

    def note(self, seconds: float) -> None:
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.seconds += seconds

    def read(self) -> Durations:
        return Durations(self.bounds, tuple(self.counts), self.seconds)


def total(parts: Iterable[Durations]) -> Durations | None:
    """All of them together; None of none. They have the same bounds."""
    counts: list[int] = []
    bounds: tuple[float, ...] = ()
    seconds = 0.0
    for part in parts:
        bounds = part.bounds
        counts = [a + b for a, b in zip(counts, part.counts, strict=True)] if counts else list(part.counts)
        seconds += part.seconds
    return Durations(bounds, tuple(counts), seconds) if counts else None
