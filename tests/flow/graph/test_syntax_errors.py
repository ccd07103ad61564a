"""Appendix B, "DOT syntax error": ModelBox says only Fault; here are line, column, what was expected and found."""

import pytest

from server.flow.graph.dot_graph import read_dot
from server.flow.status import FlowError, StatusCode
from tests.flow.graph.helpers import refusal


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("", (1, 1), "expected 'digraph' or 'graph', found the end of the text"),
        ("x", (1, 1), "expected 'digraph' or 'graph', found 'x'"),
        ("digraph", (1, 8), "expected '{', found the end of the text"),
        ("digraph a b {", (1, 11), "expected '{', found 'b'"),
        ("digraph {", (1, 10), "expected '}', found the end of the text"),
        ("digraph {\n a [x=]}", (2, 7), "expected a value (a name, a number or a quoted string), found ']'"),
        ("digraph {\n a [x]}", (2, 6), "expected '=' and a value, found ']'"),
        ("digraph { a, }", (1, 12), "expected the end of the statement"),
        ("digraph { a, {b} }", (1, 12), "expected the end of the statement"),
        ("digraph { a=b, c=d }", (1, 14), "expected the end of the statement"),
        ("digraph { a -> , b }", (1, 16), "expected a node name or a subgraph after the arrow, found ','"),
        ("digraph { a, b -> }", (1, 19), "expected a node name or a subgraph after the arrow, found '}'"),
        ("digraph { a [,] }", (1, 14), "expected an attribute name or ']', found ','"),
        ("digraph { a [x=1 }", (1, 18), "expected ']' for the '[' in line 1, found '}'"),
        ("digraph { a [x=http://y] }", (1, 27), "expected ']' for the '[' in line 1, found the end of the text"),
        ("digraph { a [x=a/b] }", (1, 17), "unexpected '/'"),
        ("digraph { a [x=1.2.3] }", (1, 21), "expected '=' and a value, found ']'"),
        ("digraph { a -> }", (1, 16), "expected a node name or a subgraph after the arrow, found '}'"),
        ("digraph { a ->\n[x=1] }", (2, 1), "expected a node name or a subgraph after the arrow, found '['"),
        ("digraph { -> a }", (1, 11), "expected a node name, a subgraph"),
        ("digraph { a: -> b }", (1, 14), "expected a port name after ':', found '->'"),
        ("digraph { a:b:c:d }", (1, 16), "expected the end of the statement"),
        ("digraph { {a}:p -> b }", (1, 14), "expected the end of the statement"),
        ("digraph { a [x=1] -> b }", (1, 19), "expected the end of the statement"),
        ("digraph { a=b -> c }", (1, 15), "expected the end of the statement"),
        ("digraph { a=b [c=d] }", (1, 15), "expected the end of the statement"),
        ("digraph { a = {b} }", (1, 15), "expected a value"),
        ("digraph { {a} = b }", (1, 15), "expected the end of the statement"),
        ("digraph { node }", (1, 16), "expected '[', found '}'"),
        ("digraph { node -> x }", (1, 16), "expected '[', found '->'"),
        ("digraph { a -> edge }", (1, 16), "expected a node name or a subgraph after the arrow, found 'edge'"),
        ("digraph { a [node=1] }", (1, 14), "expected an attribute name or ']', found 'node'"),
        ("digraph { a [x=graph] }", (1, 16), "expected a value"),
        ("digraph { strict x }", (1, 11), "expected a node name, a subgraph"),
        ("digraph { digraph digraph [x=1] }", (1, 11), "expected a node name, a subgraph"),
        ("digraph { a + b }", (1, 13), "expected the end of the statement"),
        ("digraph { a -> b node c }", (1, 23), "expected '[', found 'c'"),
        ("digraph { strict }", (1, 11), "expected a node name, a subgraph"),
        ("digraph { subgraph x -> a }", (1, 22), "expected '{' after 'subgraph', found '->'"),
        ("digraph { a -- b }", (1, 13), "expected '->' (this is a digraph), found '--'"),
        ("graph { a -> b }", (1, 11), "expected '--' (this is a graph, not a digraph), found '->'"),
        ('digraph {\n\n a [x="1]\n}', (3, 7), "the string that begins here has no end: expected '\"'"),
        ("digraph { a [x=<b<c>] }", (1, 16), "the HTML string that begins here has no end: expected '>'"),
        ("digraph { /* a }", (1, 11), "the comment that begins here has no end: expected '*/'"),
        ('digraph { a [x="a" + b] }', (1, 20), "expected a quoted string on both sides of '+'"),
        ("digraph { a # b\n }", (1, 13), "unexpected '#"),
        ("digraph {" + "{" * 100, (1, 73), "more than 64 bodies within each other"),
    ],
)
def test_position_and_expectation(text: str, position: tuple[int, int], message: str) -> None:
    with pytest.raises(FlowError) as caught:
        read_dot(text)
    assert caught.value.code is StatusCode.FAULT
    line, column = position
    assert str(caught.value).startswith(f"Fault, DOT syntax error in line {line}, column {column}: {message}")


def test_the_error_of_a_graph_file_is_a_fault_without_other_steps() -> None:
    assert str(refusal("digraph {\n a -> -> b }")).startswith("Fault, DOT syntax error in line 2, column 7: ")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("digraph {" + "->".join("a" * 5_000) + "}", id="statement-of-too-many-words"),
        pytest.param(
            "digraph {" + ";".join("->".join("a" * n) for n in range(2, 300)) + "}", id="too-many-different-forms"
        ),
        pytest.param(
            "digraph {{"
            + " ".join(f"a{i}" for i in range(400))
            + "} -> {"
            + " ".join(f"b{i}" for i in range(400))
            + "}}",
            id="too-many-edges",
        ),
        pytest.param(
            "digraph {"
            + ",".join(f"a{i}" for i in range(400))
            + "->"
            + ",".join(f"b{i}" for i in range(400))
            + "}",
            id="too-many-edges-of-lists",
        ),
        pytest.param(
            "digraph {"
            + "".join(f"node [{','.join(f'k{i}_{j}=1' for j in range(500))}]" for i in range(20))
            + " ".join(f"a{i}" for i in range(200))
            + "}",
            id="too-many-attributes",
        ),
    ],
)
def test_texts_beyond_the_limits_are_refused(text: str) -> None:
    with pytest.raises(FlowError) as caught:
        read_dot(text)
    assert caught.value.code is StatusCode.FAULT


def test_options_beyond_the_limit_are_refused() -> None:
    text = 'digraph { node [type=input, x="' + "y" * 100_000 + '"]' + " ".join(f"a{i}" for i in range(400)) + "}"
    assert "characters" in str(refusal(text))
