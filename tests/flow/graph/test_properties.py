"""No text raises anything but FlowError, and a plan survives its way through the database."""

import contextlib
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.flow.graph import compile_graph, examine_graph, warm_up
from server.flow.graph.attributes import stored_value
from server.flow.graph.dot_grammar import remembered_form
from server.flow.graph.dot_graph import read_dot
from server.flow.plan import Plan, plan_from_json
from server.flow.settings import load_settings
from server.flow.status import FlowError
from tests.flow.graph.helpers import UNITS, compile_dot, graph_file

WORDS = [
    *'{}[]=,;:+<>"\\/#*\n',
    *("digraph", "graph", "subgraph", "node", "edge", "strict", "->", "--", "//", "/*", "*/", '""', "a", "b", "c"),
    *(
        "type=input",
        "type=output",
        "flowunit=plain",
        "flowunit=source",
        "device=cpu",
        "a:o->b:i",
        "a -> b",
        "{a b}",
    ),
]
DOT_LIKE = st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join)


def outcome(source: str) -> Plan | None:
    found = examine_graph(source, units=UNITS)
    assert (found.plan is None) == bool(found.problems)
    for problem in found.problems:
        str(problem).encode()
    return found.plan


@settings(deadline=None)
@given(st.text())
def test_any_text(text: str) -> None:
    outcome(text)


@settings(deadline=None)
@given(st.text(alphabet="[]{}=\"'\\.#,\n ab1\x00\ud800"))
def test_any_text_like_toml_or_json(text: str) -> None:
    outcome(text)


@settings(deadline=None)
@given(st.text(), st.sampled_from(["json", "toml", "auto", "yaml"]))
def test_any_text_in_any_format(text: str, format: str) -> None:
    with pytest.raises(FlowError):
        compile_graph(text, format)


@settings(max_examples=50, deadline=None)
@given(
    st.dictionaries(
        st.text(),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=10,
        ),
    )
)
def test_any_json(value: object) -> None:
    with contextlib.suppress(FlowError):
        found = load_settings(json.dumps(value), "json")
        assert all(isinstance(each, str) for pair in found.items() for each in pair)


@settings(max_examples=300, deadline=None)
@given(DOT_LIKE)
def test_any_words_of_dot(text: str) -> None:
    outcome(graph_file("digraph { " + text))
    outcome(graph_file(text))


@settings(deadline=None)
@given(st.text())
def test_any_dot_text(text: str) -> None:
    with contextlib.suppress(FlowError):
        assert read_dot("digraph { " + text + " }").name == ""


NAMES = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), min_size=1)


def quoted(text: str) -> str:
    return '"' + text.replace('"', '\\"') + '"'


@settings(deadline=None)
@given(st.lists(NAMES.filter(lambda name: "\\" not in name), unique=True, min_size=1, max_size=5))
def test_any_name_can_be_quoted(names: list[str]) -> None:
    graph = read_dot(
        "digraph {" + " ".join(f"{quoted(name)} [{quoted(name)}={quoted(name)}]" for name in names) + "}"
    )
    assert {name: node.attributes for name, node in graph.nodes.items()} == {name: {name: name} for name in names}


@settings(deadline=None)
@given(st.text())
def test_stored_values_have_no_empty_pieces(value: str) -> None:
    stored = stored_value(value.replace("\x03", ""))
    assert stored == "" or all(stored.split("\x03"))


@st.composite
def graphs(draw: st.DrawFn) -> str:
    """DOT text of one source and a few nodes that take their inputs from any node before them."""
    kinds = draw(st.lists(st.sampled_from(UNITS[2:12]), max_size=6))
    outputs = [("n0", "o")]
    lines = ["n0 [flowunit=source]"]
    for number, unit in enumerate(kinds, 1):
        lines.append(f'n{number} [flowunit={unit.name}, x="{number}, a"]')
        for port in unit.inputs:
            for source, source_port in draw(st.lists(st.sampled_from(outputs), min_size=1, max_size=2)):
                lines.append(f"{source}:{source_port} -> n{number}:{port}")
        outputs.extend((f"n{number}", port) for port in unit.outputs)
    lines.append("out [type=output, output_type=unmatch]" if draw(st.booleans()) else "out [type=output]")
    used = "\n".join(lines)
    for source, port in outputs:
        if f"{source}:{port} ->" not in used:
            lines.append(f"{source}:{port} -> out")
    return "digraph {" + "\n".join(lines) + "}"


@settings(max_examples=300, deadline=None)
@given(graphs())
def test_plans_are_well_formed_and_survive_json(dot: str) -> None:
    plan = outcome(graph_file(dot))
    if plan is None:
        return
    assert plan_from_json(plan.to_json()) == plan
    seen: set[str] = set()
    for node in plan.nodes:
        feeders = {edge.source for edge in plan.edges if edge.target == node.name}
        assert feeders <= seen, "nodes come after what feeds them"
        assert {edge.target_port for edge in plan.edges if edge.target == node.name} == set(node.inputs)
        assert {edge.source_port for edge in plan.edges if edge.source == node.name} == set(node.outputs)
        assert (node.name in plan.match) == bool(node.inputs)
        seen.add(node.name)


def test_graphs_may_be_compiled_in_several_threads() -> None:
    """pydot's grammar is one shared object that is not thread-safe."""
    options = [" ".join(f"k{k}=v" for k in range(n)) for n in range(1, 30)]
    dots = [
        f"digraph g{n} {{ a[flowunit=source {some}] b[flowunit=sink] a:o->b:i }}"
        for n, some in enumerate(options, 1)
    ]
    remembered_form.cache_clear()
    with ThreadPoolExecutor(8) as pool:
        plans = list(pool.map(compile_dot, dots))
    assert [(plan.name, len(plan.nodes[0].options)) for plan in plans] == [(f"g{n}", n + 1) for n in range(1, 30)]


def test_warm_up_parses_what_the_example_needs() -> None:
    remembered_form.cache_clear()
    warm_up()
    before = remembered_form.cache_info().misses
    compile_dot("digraph { a[flowunit=source, x=1, y=2] b[type=flowunit, flowunit=sink] a:o -> b:i }")
    assert remembered_form.cache_info().misses == before


@pytest.mark.parametrize("text", ["", "{}", '{"version": 1}', "null", "x"])
def test_what_is_no_plan_is_none(text: str) -> None:
    assert plan_from_json(text) is None
