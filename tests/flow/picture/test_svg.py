"""The SVG: well-formed whatever the names are, the same each time, with nodes in their states."""

import xml.etree.ElementTree as ET

from server.flow.graph.compile import compile_graph, read_graph
from server.flow.picture.sketch import Arrow, Box, Sketch, sketch_of_dot, sketch_of_plan
from server.flow.picture.svg import Mark, Marks, NodeState, draw
from tests.flow.examine.test_places import RECEIVE, REPLY, graph

SVG = "{http://www.w3.org/2000/svg}"
RIGHT = graph(RECEIVE, REPLY, "r:out_request_info -> p:in_reply_info")


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter(f"{SVG}text")]


def states(svg: str) -> dict[str, str]:
    """By what stands as the title of each box."""
    groups = [group for group in ET.fromstring(svg).iter(f"{SVG}g") if group.get("class")]
    return {(group.findtext(f"{SVG}title") or "").partition(":")[0]: group.get("class") or "" for group in groups}


def test_a_plan_is_drawn_with_units_ports_and_devices() -> None:
    svg = draw(sketch_of_plan(compile_graph(RIGHT)))
    assert texts(svg) == [
        "g",
        "r",
        "httpserver_sync_receive  cpu:0",
        "out_request_info",
        "p",
        "httpserver_sync_reply  cpu:0",
        "in_reply_info",
    ]
    assert "r:out_request_info → p:in_reply_info" in svg


def test_the_same_graph_gives_the_same_picture() -> None:
    sketch = sketch_of_plan(compile_graph(RIGHT))
    assert draw(sketch) == draw(sketch_of_plan(compile_graph(RIGHT)))


def test_a_graph_that_cannot_be_built_is_drawn_from_its_dot() -> None:
    dot = read_graph(graph("a [flowunit=no_such]", "a:x -> b:y", "b:again -> a:in"))
    sketch = sketch_of_dot(dot)
    assert sketch.boxes[0] == Box("a", "no_such", ("in",), ("x",))
    assert texts(draw(sketch)) == ["g", "a", "no_such", "in", "x", "b", "", "y", "again"]


def test_nodes_have_their_states_and_the_message_stands_below() -> None:
    marks = Marks(
        title="job-1",
        status="FAILED",
        state=NodeState.OK,
        nodes={"a": Mark(NodeState.ERROR, "why"), "b": Mark(NodeState.STALLED)},
        message="node 'a' is wrong",
    )
    svg = draw(Sketch("g", (Box("a", "u", (), ()), Box("b", "u", (), ()), Box("c", "u", (), ())), ()), marks)
    assert states(svg) == {"a": "error", "b": "stalled", "c": "ok"}
    assert texts(svg)[0] == "job-1  FAILED"
    assert texts(svg)[-1] == "node 'a' is wrong"
    assert "✕ a" in texts(svg)


def test_names_of_any_kind_are_text_and_nothing_else() -> None:
    names = ['<script>alert("x")</script>', "a & b", "\x00\x1b[31m\ud800\ufffe", "]]>", "x" * 5000, "名前🍌"]
    boxes = tuple(Box(name, name, (name,), (name,)) for name in names)
    arrows = tuple(Arrow(name, name, names[0], names[0]) for name in names)
    svg = draw(Sketch(names[0], boxes, arrows), Marks(title=names[0], message="\n".join(names) * 50))
    found = {element.tag for element in ET.fromstring(svg.encode()).iter()}
    assert found == {
        f"{SVG}{tag}" for tag in ("svg", "title", "style", "rect", "text", "g", "path", "polygon", "circle")
    }


def test_a_node_of_a_long_name_is_found_by_the_name_that_messages_have() -> None:
    name = "n" * 300
    marks = Marks(nodes={name[:197] + "...": Mark(NodeState.ERROR)})
    assert 'class="error"' in draw(Sketch("g", (Box(name, "u", (), ()),), ()), marks)
