"""Where boxes and links go: columns from left to right, as a graph flows."""

from collections.abc import Sequence
from dataclasses import dataclass

from server.flow.picture.order import Beside, Link, backward, layers, neighbours, ordered

MOST_ITEMS = 10_000
"""Boxes, and places where links pass through columns."""
COLUMN_GAP = 64.0
ROW_GAP = 26.0
LANE_GAP = 14.0
PASSES = 12
_THROUGH = 2.0
"""The height of what passes through a column."""

Point = tuple[float, float]


class TooLarge(Exception):
    """Nobody could look at a picture of this."""


@dataclass(frozen=True)
class Size:
    width: float
    height: float


@dataclass(frozen=True)
class Arrangement:
    """`corners`: the left upper one of each box. `paths`: of each link, the points through which it goes from left
    to right; for one of `returning`, its two ends and the height of the lane below everything that it goes back
    on, as the middle one."""

    corners: tuple[Point, ...]
    paths: tuple[tuple[Point, ...], ...]
    returning: frozenset[int]
    size: Size


def arrange(sizes: Sequence[Size], links: Sequence[Link]) -> Arrangement:
    """Raises: TooLarge."""
    returning = backward(len(sizes), links)
    onwards = [link for position, link in enumerate(links) if position not in returning]
    layer = layers(len(sizes), onwards)
    passing = sum(layer[link.target] - layer[link.source] - 1 for link in onwards)
    if len(sizes) + len(links) + passing > MOST_ITEMS:
        raise TooLarge
    heights = [size.height for size in sizes]
    columns: list[list[int]] = [[] for _ in range(max(layer, default=-1) + 1)]
    for item, number in enumerate(layer):
        columns[number].append(item)
    steps, chains = _steps(links, returning, layer, columns, heights)
    columns = ordered(columns, steps, heights)
    tops = _tops(columns, steps, heights)
    lefts, width = _lefts(columns, sizes)
    bottom = max((top + height for top, height in zip(tops, heights, strict=True)), default=0.0)
    paths: list[tuple[Point, ...]] = []
    lane = bottom + ROW_GAP
    for position, link in enumerate(links):
        start = (lefts[link.source] + sizes[link.source].width, tops[link.source] + link.leaves)
        end = (lefts[link.target], tops[link.target] + link.enters)
        if position in returning:
            paths.append((start, (0.0, lane), end))
            bottom, lane = lane, lane + LANE_GAP
            continue
        through = []
        for item in chains[position]:
            column = layer[item]
            right = lefts[item] + _width(columns[column], sizes)
            through += [(lefts[item], tops[item]), (right, tops[item])]
        paths.append((start, *through, end))
    corners = tuple((lefts[item], tops[item]) for item in range(len(sizes)))
    return Arrangement(corners, tuple(paths), frozenset(returning), Size(width, bottom))


def _steps(
    links: Sequence[Link], returning: set[int], layer: list[int], columns: list[list[int]], heights: list[float]
) -> tuple[list[Link], dict[int, list[int]]]:
    """Links from column to column, with an item of its own wherever one passes through; and those items, by link.
    They are added to `layer`, `columns` and `heights`."""
    steps: list[Link] = []
    chains: dict[int, list[int]] = {}
    for position, link in enumerate(links):
        if position in returning:
            continue
        chain = chains[position] = []
        last, leaves = link.source, link.leaves
        for number in range(layer[link.source] + 1, layer[link.target]):
            item = len(heights)
            heights.append(_THROUGH)
            layer.append(number)
            columns[number].append(item)
            chain.append(item)
            steps.append(Link(last, item, leaves))
            last, leaves = item, 0.0
        steps.append(Link(last, link.target, leaves, link.enters))
    return steps, chains


def _tops(columns: list[list[int]], steps: Sequence[Link], heights: Sequence[float]) -> list[float]:
    """Where items stand: as near to their neighbours' height as order and gaps allow."""
    tops = [0.0] * len(heights)
    for column in columns:
        top = 0.0
        for item in column:
            tops[item] = top
            top += heights[item] + ROW_GAP
    before, after = neighbours(steps, len(heights))
    for number in range(PASSES):
        forwards = number % 2 == 0
        beside = before if forwards else after
        for column in columns if forwards else columns[::-1]:
            wanted = [_wanted(item, beside, tops) for item in column]
            for item, top in zip(column, _apart(wanted, [heights[item] for item in column]), strict=True):
                tops[item] = top
    highest = min(tops, default=0.0)
    return [top - highest for top in tops]


def _wanted(item: int, beside: Beside, tops: Sequence[float]) -> float:
    places = [tops[other] + theirs - own for other, theirs, own in beside[item]]
    return sum(places) / len(places) if places else tops[item]


def _apart(wanted: Sequence[float], heights: Sequence[float]) -> list[float]:
    """Tops that keep order and gaps, with the least sum of squares from those that are wanted: neighbours that are
    too near are put together into a block, which goes to the middle of what its members want."""
    offsets = [0.0]
    for height in heights[:-1]:
        offsets.append(offsets[-1] + height + ROW_GAP)
    blocks: list[tuple[float, int]] = []  # of what is wanted, less the offset: sum and number
    for want, offset in zip(wanted, offsets, strict=False):
        total, count = want - offset, 1
        while blocks and blocks[-1][0] / blocks[-1][1] > total / count:
            last_total, last_count = blocks.pop()
            total, count = total + last_total, count + last_count
        blocks.append((total, count))
    starts = [total / count for total, count in blocks for _ in range(count)]
    return [start + offset for start, offset in zip(starts, offsets, strict=False)]


def _lefts(columns: list[list[int]], sizes: Sequence[Size]) -> tuple[dict[int, float], float]:
    """The left side of each item, and the width of everything."""
    lefts: dict[int, float] = {}
    left = 0.0
    for column in columns:
        lefts.update(dict.fromkeys(column, left))
        left += _width(column, sizes) + COLUMN_GAP
    return lefts, max(0.0, left - COLUMN_GAP)


def _width(column: Sequence[int], sizes: Sequence[Size]) -> float:
    return max((sizes[item].width for item in column if item < len(sizes)), default=0.0)
