"""Spec 6.1: where descriptions of units are looked for, and what becomes of those that are none."""

import json
import os
from pathlib import Path

import pytest

from server.flow.graph import compile_graph
from server.flow.status import FlowError
from tests.flow.graph.descriptions import describe, scan, write
from tests.flow.graph.helpers import UNITS


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


def test_6_1_a_broken_description_is_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path, describe(version='"1"'))
    with caplog.at_level("INFO"):
        scan(tmp_path)
    assert f"{tmp_path}/u.toml, key 'base.version': '1' is not of the form 1.2.3" in caplog.text


def test_6_1_a_graph_that_lacks_a_unit_says_which_folders_are_missing(tmp_path: Path) -> None:
    dot = "digraph { a[flowunit=source] b[flowunit=upper] a:o->b:in_1 }"
    folders = ["@APP_DIR@/unit", str(tmp_path), f"{tmp_path}/no"]
    source = json.dumps({"driver": {"dir": folders}, "graph": {"format": "graphviz", "graphconf": dot}})
    with pytest.raises(FlowError) as caught:
        compile_graph(source, units=UNITS)
    words = (
        f"; driver.dir: there is no '@APP_DIR@/unit' below {Path.cwd()}, where this runs; driver.dir: there is no "
    )
    assert caught.value.messages[-1].endswith(f"{words}'{tmp_path}/no'")


def test_6_1_driver_dir_is_searched_in_order_and_the_units_of_the_engine_last(tmp_path: Path) -> None:
    for name in "ba":
        write(tmp_path / name, describe(name=f'"{name}"'))
    names = [each.name for each in scan(tmp_path / "b", tmp_path / "a").all()]
    assert names[:2] == ["b", "a"]
    assert "httpserver_sync_receive" in names[2:]


def test_6_1_a_broken_description_that_is_not_used_fails_no_flow(tmp_path: Path) -> None:
    write(tmp_path, describe(version='"1"'))
    dot = "digraph { a[flowunit=source] b[flowunit=sink] a:o->b:i }"
    source = json.dumps({"driver": {"dir": str(tmp_path)}, "graph": {"format": "graphviz", "graphconf": dot}})
    assert len(compile_graph(source, units=UNITS).nodes) == 2
