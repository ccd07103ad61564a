"""Spec 1.4, row `log.level`: what a graph says about the level of its units' log."""

import json
from pathlib import Path

import pytest

from server.flow.graph import compile_graph
from server.flow.pyunits.imports import UnitImports
from server.flow.unitapi.log import LogLevel
from tests.flow.http.support import free_port, running
from tests.flow.unitapi.folders import chain, write_unit

TALKATIVE = """
import _flowunit as modelbox
class Unit(modelbox.FlowUnit):
    def open(self, config):
        for level in ("debug", "info", "warn", "error"):
            getattr(modelbox, level)("said at", level)
        return modelbox.Status()
"""


@pytest.mark.parametrize(
    ("level", "heard"),
    [
        ("DEBUG", ["debug", "info", "warn", "error"]),
        ("WARN", ["warn", "error"]),
        ("OFF", []),
        ("loud", ["info", "warn", "error"]),
        (None, ["info", "warn", "error"]),
    ],
)
async def test_1_4_log_level(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], level: str | None, heard: list[str]
) -> None:
    # the level is the process's: an earlier flow may have changed it
    UnitImports.of_process().api["_flowunit"].set_log_level(LogLevel.INFO)
    write_unit(tmp_path, "u", TALKATIVE)
    graph = chain(free_port(), tmp_path, "u")
    if level is not None:
        graph["log"] = {"level": level}
    async with running(compile_graph(json.dumps(graph), "json")):
        pass
    lines = capfd.readouterr().err.splitlines()
    assert [line.rpartition(", ")[2] for line in lines if "said at" in line] == heard
