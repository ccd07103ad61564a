"""Pictures of any graph: nothing overlaps, arrows lead onwards, and the same graph gives the same picture."""

from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.flow.picture.arrange import ROW_GAP, Arrangement, Size, TooLarge, arrange
from server.flow.picture.order import Link, backward, layers, ordered


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[Size], list[Link]]:
    count = draw(st.integers(1, 12))
    sizes = [Size(draw(st.integers(20, 200)), draw(st.integers(20, 90))) for _ in range(count)]
    ends = draw(st.lists(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)), max_size=24))
    return sizes, [Link(source, target, 10, 10) for source, target in ends]


@settings(max_examples=150, deadline=None)
@given(graphs())
def test_no_two_boxes_touch(graph: tuple[list[Size], list[Link]]) -> None:
    sizes, links = graph
    arranged = arrange(sizes, links)
    boxes = list(zip(arranged.corners, sizes, strict=True))
    for ((x, y), size), ((other_x, other_y), other) in combinations(boxes, 2):
        beside = x + size.width < other_x or other_x + other.width < x
        below = y + size.height + ROW_GAP <= other_y + 0.01 or other_y + other.height + ROW_GAP <= y + 0.01
        assert beside or below
    assert all(x >= 0 and y >= 0 for x, y in arranged.corners)


@settings(max_examples=150, deadline=None)
@given(graphs())
def test_links_lead_to_the_right_or_back_below_everything(graph: tuple[list[Size], list[Link]]) -> None:
    sizes, links = graph
    arranged = arrange(sizes, links)
    for position, (link, path) in enumerate(zip(links, arranged.paths, strict=True)):
        (left, top), (to_left, to_top) = arranged.corners[link.source], arranged.corners[link.target]
        assert path[0] == (left + sizes[link.source].width, top + link.leaves)
        assert path[-1] == (to_left, to_top + link.enters)
        if position in arranged.returning:
            lane = path[1][1]
            assert all(y + size.height < lane for (_, y), size in zip(arranged.corners, sizes, strict=True))
            assert lane <= arranged.size.height
        else:
            assert all(x < next_x or not next_x - x for (x, _), (next_x, _) in pairwise(path))


@given(graphs())
def test_without_the_backward_links_there_is_no_cycle(graph: tuple[list[Size], list[Link]]) -> None:
    sizes, links = graph
    back = backward(len(sizes), links)
    onwards = [link for position, link in enumerate(links) if position not in back]
    layer = layers(len(sizes), onwards)
    assert all(layer[link.source] < layer[link.target] for link in onwards)


def test_an_acyclic_graph_has_no_backward_links() -> None:
    assert backward(4, [Link(0, 1), Link(0, 2), Link(1, 3), Link(2, 3), Link(0, 3)]) == set()


def test_crossings_that_need_not_be_are_gone() -> None:
    columns = [[0, 1, 2], [3, 4, 5]]
    links = [Link(0, 5), Link(1, 4), Link(2, 3)]
    assert ordered(columns, links, [10.0] * 6) == [[0, 1, 2], [5, 4, 3]]


def test_a_chain_is_straight() -> None:
    arranged = arrange([Size(50, 40)] * 5, [Link(number, number + 1, 20, 20) for number in range(4)])
    assert {y for path in arranged.paths for _, y in path} == {20.0}


def test_what_nobody_could_look_at_is_refused() -> None:
    chain = [Link(number, number + 1) for number in range(199)]
    with pytest.raises(TooLarge):
        arrange([Size(10, 10)] * 200, chain + [Link(0, 199)] * 60)


def test_the_empty_graph_has_no_size() -> None:
    assert arrange([], []) == Arrangement((), (), frozenset(), Size(0.0, 0.0))
