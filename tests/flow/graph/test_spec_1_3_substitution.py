"""Spec 1.3: nothing in a graph or in a unit's description is replaced, but `$name` by `[args]` (see 1.5)."""

import json
from pathlib import Path

import pytest

from server.flow.graph import compile_graph
from tests.flow.graph.helpers import UNITS

TEXTS = [
    pytest.param("${HOME}", id="environment"),
    pytest.param("@DEMO_HELLO_WORLD_FLOWUNIT_DIR@", id="at-macro-of-the-build"),
    pytest.param("${HILENS_APP_ROOT}", id="vendor-macro"),
    pytest.param("${MODELBOX_ROOT}/x", id="modelbox-root"),
]


@pytest.mark.parametrize("text", TEXTS)
def test_1_3_a_graph_is_not_expanded(text: str) -> None:
    dot = f'digraph {{ a[flowunit=source, x="{text}"] b[flowunit=sink] a:o->b:i }}'
    graph = {"graph": {"format": "graphviz", "graphconf": dot}, "driver": {"dir": text}, "flow": {"name": text}}
    plan = compile_graph(json.dumps(graph), units=UNITS, args={})
    assert plan.nodes[0].options["x"] == text
    assert (plan.settings["driver.dir"], plan.settings["flow.name"]) == (text, text)


@pytest.mark.parametrize("text", TEXTS)
def test_1_3_a_description_is_not_expanded(text: str, tmp_path: Path) -> None:
    (tmp_path / "u.toml").write_text(
        '[base]\nname="u"\ndevice="cpu"\nversion="1.0.0"\ndescription="d"\ntype="python"\nentry="u@U"\n'
        f"[config]\nx = {json.dumps(text)}\n[input.input1]\nname='i'\n"
    )
    dot = "digraph { a[flowunit=source] b[flowunit=u] a:o->b:i }"
    graph = {"graph": {"format": "graphviz", "graphconf": dot}, "driver": {"dir": str(tmp_path)}}
    unit = compile_graph(json.dumps(graph), units=UNITS).nodes[1].unit
    assert unit is not None
    assert unit.config == {"x": text}
