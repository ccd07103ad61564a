"""Folders of Python units, and flows of them."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any

from server.flow.description import UnitDescription
from server.flow.pyunits.imports import UnitImports
from server.flow.pyunits.load import make_python_unit
from server.flow.pyunits.modules import API_NAMES
from server.flow.unitapi import FlowUnit

RECEIVE = "httpserver_sync_receive"
REPLY = "httpserver_sync_reply"


def write_unit(folder: Path, name: str, code: str, *, config: str = "", entry: str = "", **keys: object) -> Path:
    """`folder`/`name`.toml and .py; class `Unit`, ports in_1 and out_1."""
    folder.mkdir(parents=True, exist_ok=True)
    base = {
        "name": name,
        "device": "cpu",
        "version": "1.0.0",
        "description": "for tests",
        "type": "python",
        "entry": entry or f"{name}@Unit",
        **keys,
    }
    lines = ["[base]", *(f"{key} = {json.dumps(value)}" for key, value in base.items()), "[config]", config]
    lines += ["[input.input1]", 'name = "in_1"', "[output.output1]", 'name = "out_1"', ""]
    (folder / f"{name}.toml").write_text("\n".join(lines))
    (folder / f"{name}.py").write_text(dedent(code))
    return folder


def chain(port: int, folder: Path, *units: str, **options: str) -> dict[str, Any]:
    """The graph receive -> units -> reply at /v1/x of `port`."""
    receive = f'endpoint="http://127.0.0.1:{port}/v1/x", time_out_ms=5000'
    nodes = [f"rx[type=flowunit, flowunit={RECEIVE}, device=cpu, {receive}]"]
    more = "".join(f', {key}="{value}"' for key, value in options.items())
    nodes += [f"{unit}[type=flowunit, flowunit={unit}, device=cpu{more}]" for unit in units]
    nodes += [f"tx[type=flowunit, flowunit={REPLY}, device=cpu]"]
    ends = ["rx:out_request_info", *(f"{unit}:in_1;{unit}:out_1" for unit in units), "tx:in_reply_info"]
    hops = ";".join(ends).split(";")
    edges = [f"{hops[i]} -> {hops[i + 1]}" for i in range(0, len(hops), 2)]
    dot = "\n".join(["digraph g {", *nodes, *edges, "}"])
    return {"driver": {"dir": str(folder)}, "graph": {"format": "graphviz", "graphconf": dot}}


def make(folder: Path, entry: str) -> FlowUnit:
    """A unit as a flow makes it, without the flow."""
    described = UnitDescription(name="u", description="for tests", entry=entry, directory=str(folder))
    return make_python_unit(described, "n")


@contextmanager
def own_modules() -> Iterator[None]:
    """A process that has loaded no unit yet, whatever ran before. What is imported meanwhile is forgotten."""
    before = (dict(sys.modules), list(sys.path), list(sys.path_hooks), list(sys.meta_path))
    for name in API_NAMES:
        sys.modules.pop(name, None)
    for hooks in (sys.path_hooks, sys.meta_path):
        hooks[:] = [hook for hook in hooks if not isinstance(hook, UnitImports)]
    sys.path_importer_cache.clear()
    try:
        yield
    finally:
        for name in set(sys.modules) - set(before[0]):
            if not name.startswith(("server.", "numpy")):
                del sys.modules[name]
        sys.modules.update({name: before[0][name] for name in API_NAMES & set(before[0])})
        sys.path[:], sys.path_hooks[:], sys.meta_path[:] = before[1:]
        sys.path_importer_cache.clear()
