"""Which layer an item is in, and in what order the items of a layer stand.

Items are numbers from 0; a Link is from one to another, and leaves and enters each at some height of its box.
"""

from bisect import bisect_right, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

SWEEPS = 16


@dataclass(frozen=True, slots=True)
class Link:
    """`leaves` and `enters` are pixels below the tops of its ends."""

    source: int
    target: int
    leaves: float = 0.0
    enters: float = 0.0


def backward(count: int, links: Sequence[Link]) -> set[int]:
    """The positions of links without which there is no cycle: those that lead back to where a walk came from."""
    leaving: list[list[int]] = [[] for _ in range(count)]
    for position, link in enumerate(links):
        leaving[link.source].append(position)
    found: set[int] = set()
    state = [0] * count  # 1 while the walk is behind it, 2 afterwards
    for start in range(count):
        if state[start]:
            continue
        walk = [(start, iter(leaving[start]))]
        state[start] = 1
        while walk:
            origin, rest = walk[-1]
            position = next(rest, -1)
            if position < 0:
                state[origin] = 2
                walk.pop()
                continue
            target = links[position].target
            if state[target] == 1:
                found.add(position)
            elif state[target] == 0:
                state[target] = 1
                walk.append((target, iter(leaving[target])))
    return found


def layers(count: int, links: Sequence[Link]) -> list[int]:
    """The layer of each item: one more than the last of those before it; what has none before it stands directly
    before the first that follows. `links` have no cycle."""
    waits = [0] * count
    leaving: list[list[int]] = [[] for _ in range(count)]
    for link in links:
        waits[link.target] += 1
        leaving[link.source].append(link.target)
    sources = [item for item in range(count) if not waits[item]]
    layer = [0] * count
    ready = list(sources)
    for item in ready:
        for target in leaving[item]:
            layer[target] = max(layer[target], layer[item] + 1)
            waits[target] -= 1
            if not waits[target]:
                ready.append(target)
    for item in sources:
        layer[item] = min((layer[target] for target in leaving[item]), default=1) - 1
    return layer


def ordered(columns: list[list[int]], links: Sequence[Link], heights: Sequence[float]) -> list[list[int]]:
    """The items of each column, from top to bottom, so that few links cross. Links lead from one column to the
    next. Each item goes to the middle of its neighbours, again and again; the best order that occurs is taken."""
    before, after = neighbours(links, len(heights))
    at = {item: float(number) for column in columns for number, item in enumerate(column)}
    best, fewest = [list(column) for column in columns], _crossings(columns, links, at, heights)
    for sweep in range(SWEEPS):
        if not fewest:
            break
        forwards = sweep % 2 == 0
        beside = before if forwards else after
        columns = columns if forwards else columns[::-1]
        columns = [_sorted(column, beside, at, heights) for column in columns]
        columns = columns if forwards else columns[::-1]
        crossings = _crossings(columns, links, at, heights)
        if crossings < fewest:
            best, fewest = [list(column) for column in columns], crossings
    return best


Beside = list[list[tuple[int, float, float]]]
"""For each item its neighbours on one side: which, at what height of them, at what height of the item."""


def neighbours(links: Sequence[Link], count: int) -> tuple[Beside, Beside]:
    before: Beside = [[] for _ in range(count)]
    after: Beside = [[] for _ in range(count)]
    for link in links:
        before[link.target].append((link.source, link.leaves, link.enters))
        after[link.source].append((link.target, link.enters, link.leaves))
    return before, after


def _sorted(column: list[int], beside: Beside, at: dict[int, float], heights: Sequence[float]) -> list[int]:
    middles = {item: _middle(item, beside, at, heights) for item in column}
    result = sorted(column, key=middles.__getitem__)
    at.update((item, float(number)) for number, item in enumerate(result))
    return result


def _middle(item: int, beside: Beside, at: dict[int, float], heights: Sequence[float]) -> float:
    places = [at[other] + height / (heights[other] + 1) for other, height, _ in beside[item]]
    return sum(places) / len(places) if places else at[item]


def _crossings(
    columns: list[list[int]], links: Sequence[Link], at: dict[int, float], heights: Sequence[float]
) -> int:
    column_of = {item: number for number, column in enumerate(columns) for item in column}
    between: dict[int, list[tuple[float, float]]] = {}
    for link in links:
        ends = (
            at[link.source] + link.leaves / (heights[link.source] + 1),
            at[link.target] + link.enters / (heights[link.target] + 1),
        )
        between.setdefault(column_of[link.source], []).append(ends)
    return sum(_inversions(end for _, end in sorted(pairs)) for pairs in between.values())


def _inversions(values: Iterator[float]) -> int:
    seen: list[float] = []
    count = 0
    for value in values:
        count += len(seen) - bisect_right(seen, value)
        insort(seen, value)
    return count
