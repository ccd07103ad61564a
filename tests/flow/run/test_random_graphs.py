"""Random graphs, sizes, errors and delays: the result equals a simple sequential model, and every session ends."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.flow.description import FlowType
from tests.flow.run.support import Graph, ProgramRun, Run

# a model item: text, an error's code, or a hole (None)


@dataclass(frozen=True)
class Bad:
    code: str


Item = str | Bad | None


@dataclass(frozen=True)
class Sizes:
    queue: int
    batch: int

    def options(self, **more: str) -> dict[str, str]:
        return {"queue_size": str(self.queue), "batch_size": str(self.batch), **more}


class Part:
    """A piece of a graph with one input and one output, and what it does to one stream."""

    def build(self, graph: Graph, source: str) -> str:
        raise NotImplementedError

    def model(self, items: list[Item]) -> list[Item]:
        raise NotImplementedError


@dataclass(frozen=True)
class Normal(Part):
    sizes: Sizes
    slow: int
    bad: int

    def build(self, graph: Graph, source: str) -> str:
        return graph.add("Add", source, options=self.sizes.options(slow=str(self.slow), bad=str(self.bad)))

    def model(self, items: list[Item]) -> list[Item]:
        return [self._one(item) for item in items]

    def _one(self, item: Item) -> Item:
        if not isinstance(item, str):
            return item
        return Bad("Add.Bad") if self.bad and len(item) % self.bad == 0 else item + "n"


@dataclass(frozen=True)
class Numbered(Part):
    sizes: Sizes

    def build(self, graph: Graph, source: str) -> str:
        return graph.add("Number", source, options=self.sizes.options())

    def model(self, items: list[Item]) -> list[Item]:
        number = 0
        result: list[Item] = []
        for item in items:
            if isinstance(item, str):
                result.append(f"{item}{number}")
                number += 1
            else:
                result.append(item)
        return result


@dataclass(frozen=True)
class Failing(Part):
    sizes: Sizes
    every: int

    def build(self, graph: Graph, source: str) -> str:
        return graph.add("Fails", source, options=self.sizes.options(every=str(self.every)))

    def model(self, items: list[Item]) -> list[Item]:
        fails = Bad("Fails.ProcessError")
        return [fails if isinstance(item, str) and len(item) % self.every == 0 else item for item in items]


@dataclass(frozen=True)
class Loop(Part):
    """A whole stream goes round until its first text is long enough."""

    sizes: Sizes
    inner: Part

    def build(self, graph: Graph, source: str) -> str:
        turn = graph.add("Turn", source, options=self.sizes.options())
        # whatever is inside, this makes texts longer
        longer = graph.add("Add", f"{turn}:again", options=self.sizes.options())
        graph.link(self.inner.build(graph, longer), turn, "in_1")
        return f"{turn}:done"

    def model(self, items: list[Item]) -> list[Item]:
        while (first := next((item for item in items if isinstance(item, str)), None)) is not None:
            if len(first) >= 6:
                break
            items = self.inner.model([item + "n" if isinstance(item, str) else item for item in items])
        return items


@dataclass(frozen=True)
class Seq(Part):
    parts: tuple[Part, ...]

    def build(self, graph: Graph, source: str) -> str:
        for part in self.parts:
            source = part.build(graph, source)
        return source

    def model(self, items: list[Item]) -> list[Item]:
        for part in self.parts:
            items = part.model(items)
        return items


@dataclass(frozen=True)
class Choice(Part):
    """A condition, two branches (maybe empty ones), and their join at a normal unit."""

    sizes: Sizes
    odd: Part
    even: Part

    def build(self, graph: Graph, source: str) -> str:
        choice = graph.add("OddEven", source, options=self.sizes.options())
        ends = [self.odd.build(graph, f"{choice}:odd"), self.even.build(graph, f"{choice}:even")]
        return graph.add("Add", ends, options=self.sizes.options())

    def model(self, items: list[Item]) -> list[Item]:
        # errors and holes take the port that is first by name, "even"
        is_odd = [isinstance(item, str) and len(item) % 2 == 1 for item in items]
        odd = iter(self.odd.model([item for item, goes in zip(items, is_odd, strict=True) if goes]))
        even = iter(self.even.model([item for item, goes in zip(items, is_odd, strict=True) if not goes]))
        merged = [next(odd) if goes else next(even) for goes in is_odd]
        return [item + "n" if isinstance(item, str) else item for item in merged]


@dataclass(frozen=True)
class Parts(Part):
    """Expand, something inside, collapse."""

    sizes: Sizes
    inner: Part
    by_events: bool
    one_by_one: bool
    halves: bool
    in_order: bool

    def build(self, graph: Graph, source: str) -> str:
        split = "SplitByEvents" if self.by_events else "Split"
        flow_type = FlowType.STREAM if self.one_by_one else FlowType.NORMAL
        source = graph.add(split, source, options=self.sizes.options(), flow_type=flow_type)
        if self.halves:
            source = graph.add("GlueBits", source, options=self.sizes.options())
        source = self.inner.build(graph, source)
        flow_type = FlowType.STREAM if self.in_order else FlowType.NORMAL
        return graph.add("Glue", source, options=self.sizes.options(), flow_type=flow_type)

    def model(self, items: list[Item]) -> list[Item]:
        return [self._one(item) for item in items]

    def _one(self, item: Item) -> Item:
        if item is None:
            return None
        parts: list[Item] = [item]
        if isinstance(item, str):
            parts = [f"{item}.{number}" for number in range(len(item) % 4)]
        if self.halves:
            parts = [each for part in parts for each in self._halved(part)]
        parts = self.inner.model(parts)
        errors = [part for part in parts if isinstance(part, Bad)]
        if errors:
            return errors[0]
        texts = [part for part in parts if isinstance(part, str)]
        return f"[{','.join(texts)}]" if texts else None

    @staticmethod
    def _halved(part: Item) -> list[Item]:
        if not isinstance(part, str):
            return [part]
        return [] if len(part) % 2 else [part, f"{part}'"]


@dataclass(frozen=True)
class Both(Part):
    """Two ways from the same output, matched position by position."""

    sizes: Sizes
    one: Part
    two: Part

    def build(self, graph: Graph, source: str) -> str:
        source = graph.add("Add", source, options=self.sizes.options())
        ends = (self.one.build(graph, source), self.two.build(graph, source))
        return graph.add("Join2", *ends, options=self.sizes.options())

    def model(self, items: list[Item]) -> list[Item]:
        items = [item + "n" if isinstance(item, str) else item for item in items]
        return [_both(one, two) for one, two in zip(self.one.model(items), self.two.model(items), strict=True)]


def _both(one: Item, two: Item) -> Item:
    if one is None or two is None:
        return None
    for each in (one, two):
        if isinstance(each, Bad):
            return each
    return f"({one}|{two})"


sizes = st.builds(Sizes, st.integers(1, 4), st.integers(1, 5))
leaves: st.SearchStrategy[Part] = st.one_of(
    st.builds(Normal, sizes, st.sampled_from([0, 0, 2, 3]), st.sampled_from([0, 0, 0, 5])),
    st.builds(Numbered, sizes),
    st.builds(Failing, sizes, st.sampled_from([5, 7])),
)
stateless: st.SearchStrategy[Part] = st.builds(
    Normal, sizes, st.sampled_from([0, 0, 2, 3]), st.sampled_from([0, 0, 0, 5])
)
"""What may be in a loop: units of the normal kind (spec 3.3 rule 6)."""
loops: st.SearchStrategy[Part] = st.builds(
    Loop,
    sizes,
    st.recursive(
        stateless,
        lambda inner: st.one_of(
            st.builds(Seq, st.lists(inner, max_size=2).map(tuple)),
            st.builds(Choice, sizes, inner, inner),
            st.builds(Both, sizes, inner, inner),
            st.builds(Parts, sizes, inner, st.booleans(), *[st.just(False)] * 3),
        ),
        max_leaves=3,
    ),
)


def _larger(inner: st.SearchStrategy[Part]) -> st.SearchStrategy[Part]:
    return st.one_of(
        st.builds(Seq, st.lists(inner, max_size=3).map(tuple)),
        st.builds(Choice, sizes, inner, inner),
        st.builds(Parts, sizes, inner, st.booleans(), st.booleans(), st.booleans(), st.booleans()),
        st.builds(Both, sizes, inner, inner),
    )


graphs = st.recursive(st.one_of(leaves, loops), _larger, max_leaves=6)
sessions = st.lists(st.lists(st.text("ab", min_size=1, max_size=7), max_size=12), min_size=1, max_size=4)


def the_model(part: Part, texts: list[str]) -> list[str]:
    expected = part.model(list(texts))
    return [f"!{item.code}" if isinstance(item, Bad) else item for item in expected if item]


def check(part: Part, given_texts: list[list[str]]) -> None:
    graph = Graph()
    graph.add("Sink", part.build(graph, graph.add("Src")), options={"queue_size": "2"})
    done = Run(graph.plan(), given_texts).wait()
    assert done.ended is None
    assert done.sunk == [the_model(part, texts) for texts in given_texts]
    for node in done.nodes.values():
        assert [port.queued for port in node.inputs] == [0] * len(node.inputs)
    assert not done.scheduler.parked


def check_as_a_program(part: Part, given_texts: list[list[str]]) -> None:
    graph = Graph()
    graph.add_output(part.build(graph, graph.add_input()))
    done = ProgramRun(graph.plan(), given_texts)
    assert done.results() == [the_model(part, texts) for texts in given_texts]
    assert done.ended is None


def examples(count: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return settings(max_examples=count, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@examples(1000)
@given(graphs, sessions)
def test_a_random_graph_does_what_the_model_says(part: Part, given_texts: list[list[str]]) -> None:
    check(part, given_texts)


@examples(500)
@given(graphs, sessions)
def test_a_program_receives_what_the_model_says(part: Part, given_texts: list[list[str]]) -> None:
    check_as_a_program(part, given_texts)


@examples(200)
@given(graphs, sessions, st.integers(0, 3))
def test_a_session_that_is_shut_down_at_any_moment_ends_and_harms_no_other(
    part: Part, given_texts: list[list[str]], thirds_of_a_millisecond: int
) -> None:
    graph = Graph()
    graph.add_output(part.build(graph, graph.add_input()))
    done = ProgramRun(graph.plan(), given_texts)
    time.sleep(thirds_of_a_millisecond / 3000)
    for feed in done._feeds[::2]:
        feed.shutdown()
    results = done.results()
    assert results[1::2] == [the_model(part, texts) for texts in given_texts[1::2]]
    assert done.ended is None


@pytest.mark.slow
@examples(5000)
@given(graphs, sessions)
def test_many_random_graphs_do_what_the_model_says(part: Part, given_texts: list[list[str]]) -> None:
    check(part, given_texts)
    check_as_a_program(part, given_texts)
