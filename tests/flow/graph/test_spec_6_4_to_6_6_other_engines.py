"""Spec 6.4 to 6.6: units of inference engines, of yolo_postprocess, of Java and of C++, which have no engine here.

Deviation: a graph that uses one is refused, and told why; other units of its folder work.
"""

import json
from pathlib import Path

import pytest

from server.flow.graph import compile_graph
from server.flow.status import FlowError, StatusCode
from tests.flow.graph.descriptions import describe, write
from tests.flow.graph.helpers import UNITS


def words_of_refusal(folder: Path, unit: str) -> str:
    dot = f"digraph {{ a[flowunit=source] b[flowunit={unit}, device=cpu] a:o->b:in_1 }}"
    source = json.dumps({"driver": {"dir": str(folder)}, "graph": {"format": "graphviz", "graphconf": dot}})
    with pytest.raises(FlowError) as caught:
        compile_graph(source, units=UNITS)
    assert caught.value.code is StatusCode.NOTFOUND
    assert caught.value.messages[1] == f"create flowunit '{unit}' failed."
    return caught.value.messages[-1]


def test_6_4_an_inference_unit(tmp_path: Path) -> None:
    path = write(tmp_path, describe(type='"inference"', virtual_type='"tensorflow"', entry='"mnist_model.pb"'))
    assert words_of_refusal(tmp_path, "u") == (
        "node 'b' (line 1): current environment does not support the inference type: 'tensorflow:cpu' "
        f"({path} describes it with type 'inference'): a unit of type 'python' may call an inference library"
    )


@pytest.mark.parametrize("type", ["yolo_postprocess", "java", "c++"])
def test_6_5_and_6_6_units_of_other_types(tmp_path: Path, type: str) -> None:
    path = write(tmp_path, describe(type=f'"{type}"', entry=None))
    assert words_of_refusal(tmp_path, "u") == (
        f"node 'b' (line 1): {path} describes it with type '{type}', and there is no engine for that type here, "
        "only for 'python'"
    )


def test_6_6_a_compiled_unit(tmp_path: Path) -> None:
    path = write(tmp_path, "", "libmodelbox-unit-cpu-resize.so.1.0.0")
    (tmp_path / "libmodelbox-unit-cpu-a.so").symlink_to(path)
    assert words_of_refusal(tmp_path, "resizer").endswith(
        f"; compiled units, such as those of {path}, are not loaded here"
    )
