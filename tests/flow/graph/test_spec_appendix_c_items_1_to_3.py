"""Appendix C, items 1 and 2: a graph that uses all of it, run to its end.

The parts one by one, and what is refused, are in the modules of sections 1 and 2; item 3 is
test_spec_appendix_b_messages.py.
"""

import json
from pathlib import Path

import pytest

from server.flow.sdk import Flow
from tests.flow.run.programs import received, sent
from tests.flow.unitapi.folders import own_modules, write_unit

LINES = [
    'digraph "all of it" {',
    "  queue_size = 64; graph [batch_size=3]   // defaults of the graph",
    "  node [colour=red, level=1]",
    '  subgraph cluster_x { node [level="2"]; u [flowunit=u, mean="124.5, 116.5, 104.5", note="\'a,b\'"] }',
    '  "the in" [type=input] /* quoted */; out [type=output]',
    '  "the in" -> u:"in_1"',
    "  u -> out [tailport=out_1, label=x]",
    "}",
]
UNIT = """
import _flowunit as modelbox
class Unit(modelbox.FlowUnit):
    def open(self, config):
        self.told = " ".join([
            "/".join(config.get_string_list("mean")),
            config.get_string("note"),
            config.get_string("colour"),
            str(config.get_int("level")),
            str(config.get_int("batch_size")),
            str(config.get_int("queue_size")),
            config.get_string("of_description"),
        ])
        return modelbox.Status()

    def process(self, ctx):
        for buffer in ctx.input("in_1"):
            ctx.output("out_1").push_back(str(buffer) + " " + self.told)
        return modelbox.Status.StatusCode.STATUS_SUCCESS
"""
TOLD = "hi 124.5/116.5/104.5 a,b red 2 3 64 word"


def answers(text: str) -> list[str]:
    flow = Flow()
    with own_modules():
        status = flow.init("g", text)
        status = flow.start_run() if status else status
        assert status, status.wrap_errormsgs()
        try:
            return received(sent(flow, "hi", port="the in"))
        finally:
            flow.stop()


@pytest.mark.parametrize("form", ["toml", "json"])
def test_c_1_and_c_2(tmp_path: Path, form: str) -> None:
    write_unit(tmp_path, "u", UNIT, config='of_description = "word"', stream=False)
    settings = {
        "driver": {"dir": [str(tmp_path)], "skip-default": "true"},
        "flow": {"name": "Echo", "nonsense": 1},
        "graph": {"format": "graphviz", "graphconf": LINES, "strict": "false", "unknown": True},
    }
    toml = "\n".join(
        line
        for table, keys in settings.items()
        for line in (f"[{table}]", *(f"{key} = {json.dumps(value)}" for key, value in keys.items()))
    )
    assert answers(toml if form == "toml" else json.dumps(settings)) == [TOLD]
