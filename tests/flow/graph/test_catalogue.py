"""Spec 6.1 (discovery), 6.2 (keys of a description) and 6.3 (conflicts)."""

import json
import os
from pathlib import Path

import pytest

from server.flow.catalogue import Catalogue
from server.flow.description import ConditionType, FlowType, OutputType, UnitDescription
from server.flow.graph import compile_graph
from server.flow.status import FlowError, StatusCode
from tests.flow.graph.helpers import UNITS, unit

BASE = {
    "name": '"u"',
    "device": '"cpu"',
    "version": '"1.0.0"',
    "description": '"does"',
    "type": '"python"',
    "entry": '"u@U"',
}
PORTS = '[input.input1]\nname = "in_1"\n[output.output1]\nname = "out_1"\n'


def describe(rest: str = PORTS, /, **keys: str | None) -> str:
    """A description; a key of None is left out."""
    base = {**BASE, **keys}
    return "[base]\n" + "".join(f"{key} = {value}\n" for key, value in base.items() if value is not None) + rest


def write(folder: Path, text: str, name: str = "u.toml") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    return folder / name


def scan(*folders: Path) -> Catalogue:
    return Catalogue({"driver.dir": "\x03".join(str(folder) for folder in folders)})


def read(folder: Path, text: str) -> UnitDescription:
    write(folder, text)
    catalogue = scan(folder)
    assert catalogue.problems == ()
    found = catalogue.find("u", "cpu")
    assert found is not None
    return found


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
        pytest.param({}, FlowType.STREAM, OutputType.ORIGIN, ConditionType.NONE, id="6.2-stream-default-true"),
        pytest.param(
            {"stream": "true"}, FlowType.STREAM, OutputType.ORIGIN, ConditionType.NONE, id="6.2-stream-true"
        ),
        pytest.param(
            {"stream": "false"}, FlowType.NORMAL, OutputType.ORIGIN, ConditionType.NONE, id="6.2-stream-false"
        ),
        pytest.param(
            {"stream": '"0"'}, FlowType.NORMAL, OutputType.ORIGIN, ConditionType.NONE, id="6.2-stream-as-text"
        ),
        pytest.param(
            {"condition": "true"},
            FlowType.NORMAL,
            OutputType.ORIGIN,
            ConditionType.IF_ELSE,
            id="4.4-condition-is-normal",
        ),
        pytest.param(
            {"collapse": "true"}, FlowType.STREAM, OutputType.COLLAPSE, ConditionType.NONE, id="6.2-collapse"
        ),
        pytest.param({"expand": "true"}, FlowType.STREAM, OutputType.EXPAND, ConditionType.NONE, id="6.2-expand"),
        pytest.param(
            {"expand": "true", "collapse": "true"},
            FlowType.STREAM,
            OutputType.EXPAND,
            ConditionType.NONE,
            id="6.2-expand-wins-over-collapse",
        ),
        pytest.param(
            {"expand": "true", "condition": "true"},
            FlowType.STREAM,
            OutputType.EXPAND,
            ConditionType.NONE,
            id="4.4-expand-cancels-condition",
        ),
        pytest.param(
            {"loop": "true"}, FlowType.STREAM, OutputType.ORIGIN, ConditionType.NONE, id="6.2-loop-is-not-read"
        ),
    ],
)
def test_kinds(
    tmp_path: Path, keys: dict[str, str], flow_type: FlowType, output_type: OutputType, condition: ConditionType
) -> None:
    found = read(tmp_path, describe(**keys))
    assert (found.flow_type, found.output_type, found.condition) == (flow_type, output_type, condition)


@pytest.mark.parametrize(
    ("keys", "default", "largest"),
    [
        pytest.param({}, 1, 1, id="4.6-stream"),
        pytest.param({"stream": "false"}, 8, 0, id="4.6-normal"),
        pytest.param({"max_batch_size": "16", "default_batch_size": "4"}, 4, 16, id="6.2-given"),
        pytest.param({"max_batch_size": '"x"'}, 1, 1, id="1.2-no-number"),
        pytest.param({"default_batch_size": "-5", "max_batch_size": "-1"}, 1, 0, id="below-the-least"),
    ],
)
def test_6_2_batch_sizes(tmp_path: Path, keys: dict[str, str], default: int, largest: int) -> None:
    found = read(tmp_path, describe(**keys))
    assert (found.default_batch_size, found.max_batch_size) == (default, largest)


def test_6_2_other_switches(tmp_path: Path) -> None:
    found = read(tmp_path, describe())
    assert (found.collapse_all, found.exception_visible) == (True, False)
    keys = {"collapse_all": "false", "exception_visible": "true", "stream_same_count": "true"}
    found = read(tmp_path, describe(**keys))
    assert (found.collapse_all, found.exception_visible) == (False, True)


def test_6_2_config_table(tmp_path: Path) -> None:
    found = read(tmp_path, describe(PORTS + '[config]\na = 1\nl = ["x", "y"]\n[config.t]\nb = true\n'))
    assert found.config == {"a": "1", "l": "x\x03y", "t.b": "true"}


def port(direction: str, number: int, name: str = "") -> str:
    return f'[{direction}.{direction}{number}]\nname = "{name or f"p{number}"}"\ntype = "float"\ndevice = "cuda"\n'


def test_6_2_ports_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    found = read(tmp_path, describe("".join(port("input", n) for n in (10, 2, 1, 3, 4, 5, 6, 7, 8, 9))))
    assert found.inputs == tuple(f"p{n}" for n in range(1, 11))
    assert found.outputs == ()


@pytest.mark.parametrize(
    ("ports", "key"),
    [
        pytest.param("", "input", id="6.2-no-port-at-all"),
        pytest.param(port("input", 2), "input.input1", id="6.2-gap-at-the-beginning"),
        pytest.param(port("input", 1) + port("input", 3), "input.input2", id="6.2-gap"),
        pytest.param(
            port("output", 1) + '[output.out2]\nname = "x"\n', "output.output2", id="6.2-wrong-name-of-table"
        ),
        pytest.param('[input.input1]\ntype = "x"\n', "input.input1.name", id="6.2-port-without-name"),
        pytest.param(port("input", 1, "x") + port("input", 2, "x"), "input.input2.name", id="port-twice"),
    ],
)
def test_6_2_ports_that_are_refused(tmp_path: Path, ports: str, key: str) -> None:
    write(tmp_path, describe(ports))
    assert [problem.key for problem in scan(tmp_path).problems] == [key]


def test_6_1_scan_depth(tmp_path: Path) -> None:
    for name, folder in {"top": "", "sub": "a", "deep": "a/b"}.items():
        write(tmp_path / folder, describe(name=f'"{name}"'), f"{name}.toml")
    names = {each.name for each in scan(tmp_path).all()}
    assert {"top", "sub"} <= names
    assert "deep" not in names


def test_6_1_the_folder_of_one_unit(tmp_path: Path) -> None:
    write(tmp_path / "units" / "u", describe())
    assert scan(tmp_path / "units" / "u").find("u", "cpu") is not None


def test_6_1_an_entry_may_be_a_file(tmp_path: Path) -> None:
    assert scan(write(tmp_path, describe())).find("u", "cpu") is not None


@pytest.mark.parametrize("kind", ["c++", "inference", "java", "yolo_postprocess"])
def test_6_1_foreign_types_are_skipped(tmp_path: Path, kind: str) -> None:
    write(tmp_path, f'[base]\ntype = "{kind}"\n')
    catalogue = scan(tmp_path)
    assert (catalogue.find("u", "cpu"), catalogue.problems) == (None, ())


def test_6_1_a_graph_file_beside_the_units_is_skipped(tmp_path: Path) -> None:
    write(tmp_path, "[graph]\nformat = 'graphviz'\n", "graph.toml")
    assert scan(tmp_path).problems == ()


def test_6_1_no_type(tmp_path: Path) -> None:
    write(tmp_path, describe(type=None))
    assert [problem.reason for problem in scan(tmp_path).problems] == ["the config does not have 'type'"]


def test_6_1_a_broken_description_hides_no_other(tmp_path: Path) -> None:
    write(tmp_path, "[base\n", "a.toml")
    write(tmp_path, "a = [1]\n", "b.toml")
    (tmp_path / "c.toml").write_bytes(b"\xff\xfe")
    (tmp_path / "d.toml").mkdir()
    (tmp_path / "e.toml").write_text("#" * 1_100_000)
    os.symlink(tmp_path / "nowhere", tmp_path / "f.toml")
    write(tmp_path, describe())
    catalogue = scan(tmp_path)
    assert catalogue.find("u", "cpu") is not None
    assert [Path(problem.path).name for problem in catalogue.problems] == ["a.toml", "b.toml", "c.toml", "e.toml"]


def test_6_3_the_first_one_wins(tmp_path: Path) -> None:
    write(tmp_path / "one", describe(description='"first"', version='"1.0.0"'))
    write(tmp_path / "two", describe(description='"second"', version='"2.0.0"'))
    assert [
        scan(*folders).find("u", "cpu").description
        for folders in (  # type: ignore[union-attr]
            (tmp_path / "one", tmp_path / "two"),
            (tmp_path / "two", tmp_path / "one"),
            (tmp_path,),
        )
    ] == ["first", "second", "first"]


def test_6_3_registered_units_win_over_found_ones(tmp_path: Path) -> None:
    write(tmp_path, describe())
    mine = unit("u", "other", "")
    assert Catalogue({"driver.dir": str(tmp_path)}, [mine]).find("u", "cpu") == mine


def test_6_3_a_found_unit_wins_over_a_built_in_one(tmp_path: Path) -> None:
    write(tmp_path, describe(name='"httpserver_sync_reply"'))
    found = scan(tmp_path).find("httpserver_sync_reply", "cpu")
    assert found is not None
    assert found.entry == "u@U"


def test_6_3_the_same_name_on_another_device_is_another_unit(tmp_path: Path) -> None:
    write(tmp_path, describe(), "a.toml")
    write(tmp_path, describe(device='"cuda"', entry='"v@V"'), "b.toml")
    catalogue = scan(tmp_path)
    entries = [found.entry for device in ("cpu", "cuda") if (found := catalogue.find("u", device))]
    assert entries == ["u@U", "v@V"]


@pytest.mark.parametrize("folder", ["", "/no/such/folder"])
def test_1_4_skip_default_with_nothing_else_to_load(folder: str) -> None:
    with pytest.raises(FlowError, match=r"driver\.skip-default is true") as caught:
        Catalogue({"driver.dir": folder, "driver.skip-default": "true"})
    assert caught.value.code is StatusCode.NOTFOUND


def test_1_4_skip_default_false_loads_the_built_in_units() -> None:
    assert Catalogue({"driver.skip-default": "false"}).find("httpserver_sync_receive", "cpu") is not None


@pytest.mark.parametrize("name", ["u.toml", "libmodelbox-unit-cpu-x.so.1.0.0"])
def test_1_4_skip_default_with_something_in_driver_dir(tmp_path: Path, name: str) -> None:
    """Deviation: in ModelBox the HTTP units are libraries, which such a graph has in its driver.dir. Here they are
    built in, so that graph must still find them."""
    write(tmp_path, describe(), name)
    catalogue = Catalogue({"driver.dir": str(tmp_path), "driver.skip-default": "true"})
    assert catalogue.find("httpserver_sync_receive", "cpu") is not None


def test_6_1_a_graph_that_uses_a_broken_unit_says_what_is_broken(tmp_path: Path) -> None:
    write(tmp_path / "upper", describe(name='"upper"', version='"1"'), "upper.toml")
    dot = "digraph { a[flowunit=source] b[flowunit=upper] a:o->b:in_1 }"
    source = json.dumps({"driver": {"dir": str(tmp_path)}, "graph": {"format": "graphviz", "graphconf": dot}})
    with pytest.raises(FlowError) as caught:
        compile_graph(source, units=UNITS)
    words = (
        f"its description is broken: {tmp_path}/upper/upper.toml, key 'base.version': '1' is not of the form 1.2.3"
    )
    assert words in caught.value.messages[-1]


def test_6_1_a_missing_folder_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert scan(tmp_path / "missing").problems == ()
    assert f"driver.dir: there is no '{tmp_path}/missing'" in caplog.text


def test_6_2_a_group_that_is_ignored_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    read(tmp_path, describe(group_type='"image"'))
    assert f"{tmp_path}/u.toml, key 'base.group_type': 'image' is not of the form" in caplog.text


def test_6_1_a_broken_description_is_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path, describe(version='"1"'))
    with caplog.at_level("INFO"):
        scan(tmp_path)
    assert f"{tmp_path}/u.toml, key 'base.version': '1' is not of the form 1.2.3" in caplog.text


def test_6_3_a_hidden_unit_is_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Deviation: ModelBox ignores the later one silently."""
    write(tmp_path / "one", describe())
    write(tmp_path / "two", describe(version='"2.0.0"'))
    with caplog.at_level("INFO"):
        scan(tmp_path / "one", tmp_path / "two")
    assert (
        f"'u' of {tmp_path}/two/u.toml is hidden by the one of {tmp_path}/one (u@U, version 1.0.0)" in caplog.text
    )
