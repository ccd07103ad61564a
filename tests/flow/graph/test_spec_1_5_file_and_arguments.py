"""Spec 1.5: its minimal file, and what arguments replace.

The calls are in tests/flow/sdk/test_spec_1_5_life_cycle.py.
"""

import json
from pathlib import Path

import pytest

from server.flow.graph import compile_graph
from server.flow.status import FlowError, StatusCode
from tests.flow.graph.helpers import UNITS

MINIMAL = '''
[driver]
dir = ["{folder}"]
skip-default = true
[flow]
name = "Echo"
[graph]
format = "graphviz"
graphconf = """digraph echo {{
  queue_size = 64                  // default for every node
  rx[type=flowunit, flowunit=httpserver_sync_receive, device=cpu, endpoint="http://0.0.0.0:9000"]
  up[type=flowunit, flowunit=upper, device=cpu, batch_size=4]
  tx[type=flowunit, flowunit=httpserver_sync_reply, device=cpu, content_type=json]
  rx:out_request_info -> up:in_1
  up:out_1 -> tx:in_reply_info
}}"""
'''


def test_1_5_minimal_file_and_its_json_twin(tmp_path: Path) -> None:
    (tmp_path / "upper").mkdir()
    (tmp_path / "upper" / "upper.toml").write_text(
        '[base]\nname="upper"\ndevice="cpu"\nversion="1.0.0"\ndescription="d"\ntype="python"\nentry="upper@Upper"\n'
        'stream=false\n[input.input1]\nname="in_1"\n[output.output1]\nname="out_1"\n'
    )
    plan = compile_graph(MINIMAL.format(folder=tmp_path))
    dot = plan.settings["graph.graphconf"]
    twin = json.dumps(
        {
            "driver": {"dir": [str(tmp_path)], "skip-default": True},
            "flow": {"name": "Echo"},
            "graph": {"format": "graphviz", "graphconf": dot},
        }
    )
    assert compile_graph(twin).nodes == plan.nodes
    assert [each.name for each in plan.nodes] == ["rx", "up", "tx"]
    assert plan.nodes[0].options["queue_size"] == "64"


ARGS = '[args.port]\ndefault = "8080"\n[args.path]\ndesc = "where"\n'


def with_args(dot: str) -> str:
    return f"[graph]\nformat = 'graphviz'\ngraphconf = '{dot}'\n{ARGS}"


ARGS_DOT = (
    'digraph g { a[flowunit=source, p="$port", q="$path", r="$other", s="x$port"] b[flowunit=sink] a:o->b:i }'
)


def test_1_5_args_replace_whole_values() -> None:
    options = compile_graph(with_args(ARGS_DOT), units=UNITS, args={"path": "/x"}).nodes[0].options
    assert [options[key] for key in "pqrs"] == ["8080", "/x", "$other", "x$port"]


def test_1_5_args_without_a_value_and_a_default_stay() -> None:
    assert compile_graph(with_args(ARGS_DOT), units=UNITS, args={"port": "1"}).nodes[0].options["q"] == "$path"


def test_1_5_args_must_be_declared() -> None:
    with pytest.raises(FlowError, match="did you mean 'port'") as caught:
        compile_graph(with_args(ARGS_DOT), units=UNITS, args={"prt": "1"})
    assert caught.value.code is StatusCode.FAULT
