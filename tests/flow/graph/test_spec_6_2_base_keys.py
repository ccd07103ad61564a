"""Spec 6.2: a test for each key of a description."""

from pathlib import Path

import pytest

from server.flow.description import ConditionType, FlowType, OutputType, UnitDescription
from tests.flow.graph.descriptions import PORTS, describe, port, read, scan, write


def test_6_2_required_keys(tmp_path: Path) -> None:
    found = read(tmp_path, describe())
    assert (found.name, found.device, found.version, found.description) == ("u", "cpu", "1.0.0", "does")
    assert (found.entry, found.directory) == ("u@U", str(tmp_path))
    assert (found.inputs, found.outputs) == (("in_1",), ("out_1",))


@pytest.mark.parametrize("key", ["name", "device", "version", "description", "entry", "type"])
@pytest.mark.parametrize("value", [None, '""'], ids=["missing", "empty"])
def test_6_2_required_keys_that_are_missing(tmp_path: Path, key: str, value: str | None) -> None:
    path = write(tmp_path, describe(**{key: value}))
    (problem,) = scan(tmp_path).problems
    assert (problem.path, problem.key) == (str(path), f"base.{key}")
    assert f"key 'base.{key}'" in str(problem)


@pytest.mark.parametrize("version", ["1.0", "1.0.0.0", "v1.0.0", "1.0.x", "1..0", ""])
def test_6_2_versions_that_are_refused(tmp_path: Path, version: str) -> None:
    write(tmp_path, describe(version=f'"{version}"'))
    assert [problem.key for problem in scan(tmp_path).problems] == ["base.version"]


@pytest.mark.parametrize("entry", ["u", "u@U@V", "@@"])
def test_6_2_entries_that_are_refused(tmp_path: Path, entry: str) -> None:
    write(tmp_path, describe(entry=f'"{entry}"'))
    (problem,) = scan(tmp_path).problems
    assert problem.key == "base.entry"
    assert problem.reason.startswith(f"invalid entry string: {entry} ")


@pytest.mark.parametrize(
    ("group", "expected"),
    [("Input", "Input"), ("Image/Resize", "Image/Resize"), ("image", ""), ("A/B/C", ""), ("A b", ""), ("1A", "")],
)
def test_6_2_group_type(tmp_path: Path, group: str, expected: str) -> None:
    assert read(tmp_path, describe(group_type=f'"{group}"')).group == expected


@pytest.mark.parametrize(
    ("keys", "flow_type", "output_type", "condition"),
    [
        pytest.param({}, FlowType.STREAM, OutputType.ORIGIN, ConditionType.NONE, id="stream-default-true"),
        pytest.param({"stream": "true"}, FlowType.STREAM, OutputType.ORIGIN, ConditionType.NONE, id="stream-true"),
        pytest.param(
            {"stream": "false"}, FlowType.NORMAL, OutputType.ORIGIN, ConditionType.NONE, id="stream-false"
        ),
        pytest.param(
            {"stream": '"0"'}, FlowType.NORMAL, OutputType.ORIGIN, ConditionType.NONE, id="stream-as-text"
        ),
        pytest.param(
            {"condition": "true"},
            FlowType.NORMAL,
            OutputType.ORIGIN,
            ConditionType.IF_ELSE,
            id="4.4-condition-is-normal",
        ),
        pytest.param(
            {"collapse": "true"}, FlowType.STREAM, OutputType.COLLAPSE, ConditionType.NONE, id="collapse"
        ),
        pytest.param({"expand": "true"}, FlowType.STREAM, OutputType.EXPAND, ConditionType.NONE, id="expand"),
        pytest.param(
            {"expand": "true", "collapse": "true"},
            FlowType.STREAM,
            OutputType.EXPAND,
            ConditionType.NONE,
            id="expand-wins-over-collapse",
        ),
        pytest.param(
            {"expand": "true", "condition": "true"},
            FlowType.STREAM,
            OutputType.EXPAND,
            ConditionType.NONE,
            id="4.4-expand-cancels-condition",
        ),
    ],
)
def test_6_2_kinds(
    tmp_path: Path, keys: dict[str, str], flow_type: FlowType, output_type: OutputType, condition: ConditionType
) -> None:
    found = read(tmp_path, describe(**keys))
    assert (found.flow_type, found.output_type, found.condition) == (flow_type, output_type, condition)


@pytest.mark.parametrize(
    ("keys", "default", "largest"),
    [
        pytest.param({}, 1, 1, id="4.6-stream"),
        pytest.param({"stream": "false"}, 8, 0, id="4.6-normal"),
        pytest.param({"max_batch_size": "16", "default_batch_size": "4"}, 4, 16, id="given"),
        pytest.param({"max_batch_size": '"x"'}, 1, 1, id="1.2-no-number"),
        pytest.param({"default_batch_size": "-5", "max_batch_size": "-1"}, 1, 0, id="below-the-least"),
    ],
)
def test_6_2_batch_sizes(tmp_path: Path, keys: dict[str, str], default: int, largest: int) -> None:
    found = read(tmp_path, describe(**keys))
    assert (found.default_batch_size, found.max_batch_size) == (default, largest)


def test_6_2_collapse_all_and_exception_visible(tmp_path: Path) -> None:
    found = read(tmp_path, describe())
    assert (found.collapse_all, found.exception_visible) == (True, False)
    keys = {"collapse_all": "false", "exception_visible": "true"}
    found = read(tmp_path, describe(**keys))
    assert (found.collapse_all, found.exception_visible) == (False, True)


def test_6_2_config_table(tmp_path: Path) -> None:
    found = read(tmp_path, describe(PORTS + '[config]\na = 1\nl = ["x", "y"]\n[config.t]\nb = true\n'))
    assert found.config == {"a": "1", "l": "x\x03y", "t.b": "true"}


def test_6_2_ports_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    found = read(tmp_path, describe("".join(port("input", n) for n in (10, 2, 1, 3, 4, 5, 6, 7, 8, 9))))
    assert found.inputs == tuple(f"p{n}" for n in range(1, 11))
    assert found.outputs == ()


@pytest.mark.parametrize(
    ("ports", "key"),
    [
        pytest.param("", "input", id="no-port-at-all"),
        pytest.param(port("input", 2), "input.input1", id="gap-at-the-beginning"),
        pytest.param(port("input", 1) + port("input", 3), "input.input2", id="gap"),
        pytest.param(
            port("output", 1) + '[output.out2]\nname = "x"\n', "output.output2", id="wrong-name-of-table"
        ),
        pytest.param('[input.input1]\ntype = "x"\n', "input.input1.name", id="port-without-name"),
        pytest.param(port("input", 1, "x") + port("input", 2, "x"), "input.input2.name", id="port-twice"),
    ],
)
def test_6_2_ports_that_are_refused(tmp_path: Path, ports: str, key: str) -> None:
    write(tmp_path, describe(ports))
    assert [problem.key for problem in scan(tmp_path).problems] == [key]


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("group_type", "image", "is not of the form Group or Group/Subgroup, and is ignored"),
        ("stream", "yes", "is neither true nor false, and counts as true"),
        ("max_batch_size", "8 or so", "is no number, and counts as 1"),
    ],
)
def test_6_2_values_that_do_not_convert_are_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, key: str, value: str, words: str
) -> None:
    """Deviation: ModelBox names neither the file nor what the value counts as."""
    read(tmp_path, describe(**{key: f'"{value}"'}))
    assert f"{tmp_path}/u.toml, key 'base.{key}': '{value}' {words}" in caplog.text


@pytest.mark.parametrize(
    "key", ["virtual_type", "is_input_contiguous", "plugin", "stream_same_count", "loop", "x"]
)
def test_6_2_keys_without_effect_on_python_units(tmp_path: Path, key: str) -> None:
    assert read(tmp_path, describe(**{key: '"true"'})) == read(tmp_path, describe())


def test_6_2_the_own_example(tmp_path: Path) -> None:
    write(
        tmp_path,
        """
[base]
name = "splitter"
device = "cpu"
version = "1.0.0"
description = "one message to many words"
type = "python"
entry = "splitter@Splitter"
stream = false
expand = true
[config]
separator = " "
stop_words = ["a", "the"]
[input]
[input.input1]
name = "in_1"
[output]
[output.output1]
name = "out_1"
""",
        "splitter.toml",
    )
    assert scan(tmp_path).find("splitter", "cpu") == UnitDescription(
        name="splitter",
        description="one message to many words",
        entry="splitter@Splitter",
        directory=str(tmp_path),
        inputs=("in_1",),
        outputs=("out_1",),
        flow_type=FlowType.NORMAL,
        output_type=OutputType.EXPAND,
        default_batch_size=8,
        max_batch_size=0,
        config={"separator": " ", "stop_words": "a\x03the"},
    )
