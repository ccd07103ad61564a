"""A unit in a folder, and graph files with it: what the tests of the programmatic API run."""

from pathlib import Path

from server.flow.sdk import Flow
from tests.flow.run.programs import received, sent

UPPER_TOML = """
[base]
name = "upper"
device = "cpu"
version = "1.0.0"
description = "capitals"
entry = "upper@Upper"
type = "python"
stream = false
[config]
suffix = ""
[input]
[input.input1]
name = "in_1"
[output]
[output.output1]
name = "out_1"
"""
UPPER_PY = """
import _flowunit as modelbox

class Upper(modelbox.FlowUnit):
    def open(self, config):
        self.suffix = config.get_string("suffix", "")
        return modelbox.Status()

    def process(self, ctx):
        for buffer in ctx.input("in_1"):
            ctx.output("out_1").push_back(str(buffer).upper() + self.suffix)
        return modelbox.Status.StatusCode.STATUS_SUCCESS
"""
DOT = """digraph g { in[type=input]; out[type=output]; up[flowunit=upper, device=cpu SUFFIX]
  in -> up:in_1; up:out_1 -> out }"""


def write_upper(folder: Path) -> Path:
    """The folder for `driver.dir`."""
    made = folder / "upper"
    made.mkdir(parents=True)
    (made / "upper.toml").write_text(UPPER_TOML)
    (made / "upper.py").write_text(UPPER_PY)
    return folder


def toml_of(units: Path, suffix: str = "", more: str = "") -> str:
    dot = DOT.replace("SUFFIX", suffix)
    return f'{more}\n[driver]\ndir = "{units}"\n[graph]\nformat = "graphviz"\ngraphconf = """{dot}"""\n'


def json_of(units: Path) -> str:
    dot = DOT.replace("SUFFIX", "").replace("\n", " ")
    return f'{{"driver": {{"dir": "{units}"}}, "graph": {{"format": "graphviz", "graphconf": "{dot}"}}}}'


def echoes(flow: Flow, text: str = "hello") -> list[str]:
    status = flow.start_run()
    assert status, status.wrap_errormsgs()
    try:
        return received(sent(flow, text))
    finally:
        flow.stop()
