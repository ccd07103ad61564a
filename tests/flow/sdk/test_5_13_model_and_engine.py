"""Spec 5.13: Model, and the dynamic API of ModelBoxEngine and DataHandler."""

from pathlib import Path

import numpy as np
import pytest

from server.flow.sdk import DataHandler, Model, ModelBoxEngine
from server.flow.unitapi import Buffer, UnitStatusCode
from tests.flow.sdk.upper import UPPER_TOML

CODES = UnitStatusCode
PAIR_PY = """
import _flowunit as modelbox
import numpy as np

class Pair(modelbox.FlowUnit):
    def process(self, ctx):
        for first, second in zip(ctx.input("first"), ctx.input("second")):
            ctx.output("sum").push_back(np.asarray(first) + np.asarray(second))
            ctx.output("difference").push_back(np.asarray(first) - np.asarray(second))
        return modelbox.Status()
"""


def test_5_13_model_calls_a_unit_like_a_function(units: Path) -> None:
    model = Model(str(units), "upper", 4, "cpu", "0")
    assert model.infer([np.frombuffer(b"x", dtype=np.uint8)]) == []
    assert model.start()
    (buffer,) = model.infer([np.frombuffer(b"abc", dtype=np.uint8)])
    assert isinstance(buffer, Buffer)
    assert str(buffer) == "ABC"
    (batch,) = model.infer_batch([[b"a", b"b", b"c"]])
    assert [str(each) for each in batch] == ["A", "B", "C"]
    assert model.infer([b"a", b"b"]) == []
    model.stop()
    assert model.infer([b"a"]) == []


def test_5_13_model_has_its_ports_in_the_order_of_the_headers_in_the_file(tmp_path: Path) -> None:
    head = UPPER_TOML.replace("upper@Upper", "pair@Pair").replace('"upper"', '"pair"').partition("[config]")[0]
    inputs = '[input.input2]\nname = "first"\n[input.input1]\nname = "second"\n'
    outputs = '[output.output2]\nname = "sum"\n[output.output1]\nname = "difference"\n'
    (tmp_path / "pair.toml").write_text(head + inputs + outputs)
    (tmp_path / "pair.py").write_text(PAIR_PY)
    model = Model(str(tmp_path), "pair")
    assert model.start()
    seven, two = np.array([7], np.int32), np.array([2], np.int32)
    total, difference = model.infer([seven, two])
    assert (total.as_object()[0], difference.as_object()[0]) == (9, 5)  # type: ignore[comparison-overlap]
    batch = model.infer_batch([[seven, two], [two, two]])
    assert [[int(buffer.as_object()[0]) for buffer in port] for port in batch] == [[9, 4], [5, 0]]
    assert model.infer([seven]) == []
    assert model.infer_batch([[seven, two], [two]]) == []
    model.stop()


def test_5_13_model_finds_its_description_in_added_paths_and_refuses_other_engines(
    tmp_path: Path, units: Path
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    model = Model(str(empty), "upper")
    assert model.start() == CODES.STATUS_NOTFOUND
    model.add_path(str(units))
    assert model.start()
    model.stop()
    (empty / "net.toml").write_text('[base]\nname = "net"\ntype = "inference"\n')
    refused = Model(str(empty), "net").start()
    assert refused == CODES.STATUS_NOTSUPPORT
    assert "inference" in refused.errormsg()


def test_5_13_the_dynamic_engine_runs_units_one_after_the_other(units: Path) -> None:
    engine = ModelBoxEngine()
    assert engine.init({"driver.dir": str(units)})
    data = engine.create_input({"text"})
    assert data.pushdata(Buffer(None, "a"), "text")
    assert data.pushdata(Buffer(None, "b"), "text")
    assert data.pushdata(Buffer(None, "b"), "nowhere") == CODES.STATUS_INVALID
    assert data.setmeta("kind", "letters")
    data.close()
    upper = engine.execute("upper", {"suffix": "1"}, {"in_1": data["text"]})
    twice = engine.execute("upper", {"suffix": "2"}, {"in_1": upper})
    assert [str(buffer) for buffer in twice] == ["A12", "B12"]
    assert [str(buffer) for buffer in twice["out_1"]] == ["A12", "B12"]
    parts = DataHandler()
    assert parts.pushdata(upper, "in_1")
    assert parts.get_datahandler("in_1") is upper
    other = DataHandler()
    assert other.set_datahandler({"in_1": upper})
    assert [str(buffer) for buffer in engine.execute("upper", None, other)] == ["A1", "B1"]
    with pytest.raises(RuntimeError, match="nonesuch"):
        list(engine.execute("nonesuch", {}, {"in_1": data}))
    engine.shutdown()
    engine.close()
