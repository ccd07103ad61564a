"""Units in files, as users write them, and flows of them."""

from pathlib import Path

from server.flow.sdk import Flow
from tests.flow.run.programs import received, sent

HEAD = """
import threading
import _flowunit as modelbox

class Unit(modelbox.FlowUnit):
    def __init__(self):
        super().__init__()
"""
EACH = """
def process(self, ctx):
    for b in ctx.input("in_1"):
        if {}:
            ctx.output("out_1").push_back({})
    return modelbox.Status.StatusCode.STATUS_SUCCESS
"""


class UnitFolder:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, name: str, body: str, inputs: str = "in_1", outputs: str = "out_1", **base: object) -> None:
        """`body`: the methods of its class. `base`: further keys of its description."""
        folder = self.folder / name
        folder.mkdir()
        indented = "\n".join(f"    {each}" for each in body.strip("\n").splitlines())
        (folder / f"{name}.py").write_text(f"{HEAD}{indented}\n")
        lines = ["[base]", f'name = "{name}"', 'device = "cpu"', 'version = "1.0.0"', 'description = "an example"']
        lines += [f'entry = "{name}@Unit"', 'type = "python"']
        lines += [f"{key} = {str(value).lower()}" for key, value in base.items()]
        for direction, ports in (("input", inputs), ("output", outputs)):
            for number, port in enumerate(ports.split(), 1):
                lines += [f"[{direction}.{direction}{number}]", f'name = "{port}"', 'type = "string"']
        (folder / f"{name}.toml").write_text("\n".join(lines))

    def add_each(self, name: str, result: str, condition: str = "True", **base: object) -> None:
        """A unit that gives `result`, an expression, for each input buffer `b` for which `condition` holds."""
        self.add(name, EACH.format(condition, result), **base)

    def built(self, dot: str) -> Flow:
        """Opened, but not running yet: what is sent waits."""
        flow = Flow()
        graph = f"[graph]\nformat = 'graphviz'\ngraphconf = '''digraph g {{ {dot} }}'''"
        assert flow.init("g", f"[driver]\ndir = '{self.folder}'\n{graph}")
        status = flow.build()
        assert status, status.wrap_errormsgs()
        return flow

    def flow(self, dot: str) -> Flow:
        flow = self.built(dot)
        assert flow.run_async()
        return flow

    def results(self, dot: str, *items: object) -> list[str]:
        flow = self.flow(dot)
        try:
            return received(sent(flow, *items))
        finally:
            flow.stop()
