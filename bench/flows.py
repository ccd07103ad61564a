"""Requests per second of flows, and buffers per second through a chain without HTTP. `python -m bench.flows`

Each flow is served by a process of its own (`modelbox-server flow run`), as it is in an engine.
"""

import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.load import generator, requests_per_second
from bench.report import print_report
from server.flow.sdk import Flow
from server.flow.unitapi import BufferList, Device
from tests.installation import free_port

CONNECTIONS = (1, 8, 64)
SECONDS = 3
BUFFERS = 20_000
ORIGINAL = {"example": {1: 2000, 8: 3100, 64: 3300}, "one Python unit": {1: 1400, 8: 2400, 64: 2500}}
"""Requests per second of the C++ original, measured on a machine like this one."""

DESCRIPTION = """
[base]
name = "plain"
device = "cpu"
version = "1.0.0"
description = "a copy of what comes"
entry = "plain@Plain"
type = "python"
stream = false
[input.input1]
name = "in_1"
[output.output1]
name = "out_1"
"""
UNIT = """
import _flowunit as modelbox

class Plain(modelbox.FlowUnit):
    def open(self, config):
        return modelbox.Status.StatusCode.STATUS_SUCCESS

    def process(self, context):
        out = context.output("out_1")
        for buffer in context.input("in_1"):
            out.push_back(buffer)
        return modelbox.Status.StatusCode.STATUS_SUCCESS
"""


def main() -> None:
    figures: dict[str, object] = {"load generator": generator(), "C++ original, requests/s": ORIGINAL}
    with tempfile.TemporaryDirectory() as folder:
        units = Path(folder)
        (units / "plain.toml").write_text(DESCRIPTION)
        (units / "plain.py").write_text(UNIT)
        for name, count in (("example", 0), ("one Python unit", 1), ("five Python units", 5), ("20 nodes", 18)):
            figures[f"{name}, requests/s"] = served(units, count)
        figures["buffers/s through a chain without HTTP"] = {
            f"{count} Python units": chain(units, count) for count in (1, 5, 18)
        }
    print_report("flows", figures)


def served(units: Path, count: int) -> dict[int, float]:
    port = free_port()
    path = units / f"graph{count}.toml"
    path.write_text(graph_text(units, count, http=port))
    argv = [str(Path(sys.executable).with_name("modelbox-server")), "flow", "run", str(path)]
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until_serving(port)
        url = f"http://127.0.0.1:{port}/"
        return {c: requests_per_second(url, c, body=b"hello", seconds=SECONDS) for c in CONNECTIONS}
    finally:
        process.terminate()
        process.wait(20)


def graph_text(units: Path, count: int, http: int | None) -> str:
    if http is None:
        first, last = ("in", ""), ("out", "")
        ends = ["in[type=input]", "out[type=output]"]
    else:
        first, last = ("rx", ":out_request_info"), ("tx", ":in_reply_info")
        # wrk keeps 64 requests in flight
        options = f'endpoint="http://127.0.0.1:{http}", max_requests=100'
        ends = [f"rx[flowunit=httpserver_sync_receive, {options}]", "tx[flowunit=httpserver_sync_reply]"]
    nodes = [f"u{number}[flowunit=plain]" for number in range(count)]
    outs = ["".join(first), *(f"u{number}:out_1" for number in range(count))]
    ins = [*(f"u{number}:in_1" for number in range(count)), "".join(last)]
    edges = [f"{out} -> {into}" for out, into in zip(outs, ins, strict=True)]
    dot = "; ".join([*ends, *nodes, *edges])
    return f"[driver]\ndir = '{units}'\n[graph]\nformat = 'graphviz'\ngraphconf = '''digraph g {{ {dot} }}'''\n"


def wait_until_serving(port: int) -> None:
    async def connect() -> None:
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            writer.close()
            return

    asyncio.run(asyncio.wait_for(connect(), 20))


def chain(units: Path, count: int) -> float:
    flow = Flow()
    assert flow.init("chain", graph_text(units, count, http=None))
    assert flow.start_run()
    try:
        session = flow.create_external_data_map()
        assert session is not None
        started = time.perf_counter()
        for _ in range(BUFFERS // 100):
            buffers = BufferList(Device())
            for _ in range(100):
                buffers.push_back("hello")
            session.send("in", buffers)
        session.close()
        got = 0
        outlet = session._feed.outlet
        while got < BUFFERS:
            _, results = outlet.take_all(10)
            assert results, "no result within 10 s"
            got += len(results["out"])
        return round(BUFFERS / (time.perf_counter() - started))
    finally:
        flow.stop()


if __name__ == "__main__":
    main()
