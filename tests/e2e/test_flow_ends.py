"""Ends of flows, as REST shows them; counters over the engine's socket."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from server.engines.conversation import ask
from server.engines.protocol import Counted, Counters
from server.engines.rundir import RunDir
from tests.installation import Installation

SOURCE = """
import _flowunit as modelbox

class Source(modelbox.FlowUnit):
    def open(self, config):
        external = self.create_external_data()
        buffers = external.create_buffer_list()
        for number in range(config.get_int("amount", 3)):
            buffers.push_back(str(number))
        external.send(buffers)
        external.close()
        return modelbox.Status()

    def process(self, ctx):
        for buffer in ctx.external():
            ctx.output("out_1").push_back(buffer)
        return modelbox.Status()
"""
SINK = """
import os
import time
import _flowunit as modelbox

class Sink(modelbox.FlowUnit):
    def open(self, config):
        self.code = config.get_int("code", 0)
        self.hangs = config.get_bool("hangs", False)
        self.raises = config.get_bool("raises", False)
        self.crashes = config.get_bool("crashes", False)
        self.waits_for = config.get_string("waits_for", "")
        return modelbox.Status()

    def process(self, ctx):
        while self.hangs:
            time.sleep(0.1)
        while self.waits_for and not os.path.exists(self.waits_for):
            time.sleep(0.05)
        if self.crashes:
            time.sleep(0.1)
            os.abort()
        if self.raises:
            return None
        return modelbox.Status(modelbox.Status.StatusCode(self.code), "the sink is full")
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Installation]:
    with Installation(tmp_path / "state") as server:
        yield server.start()


def units_in(folder: Path) -> Path:
    folder.mkdir()
    for name, text, port in (("source", SOURCE, "output"), ("sink", SINK, "input")):
        (folder / f"{name}.py").write_text(text)
        (folder / f"{name}.toml").write_text(
            f'[base]\nname = "{name}"\ndevice = "cpu"\nversion = "1.0.0"\ndescription = "{name}"\n'
            f'entry = "{name}@{name.capitalize()}"\ntype = "python"\n[{port}.{port}1]\n'
            f'name = "{"out_1" if port == "output" else "in_1"}"\n'
        )
    return folder


def flow(units: Path, options: str = "", **graph: str) -> dict[str, Any]:
    dot = f"""digraph g {{ source[flowunit=source, device=cpu]; sink[flowunit=sink, device=cpu {options}]
      source:out_1 -> sink:in_1 }}"""
    return {"driver": {"dir": str(units)}, "graph": {"format": "graphviz", "graphconf": dot, **graph}}


def test_a_flow_whose_sources_have_ended_succeeds(server: Installation, tmp_path: Path) -> None:
    units = units_in(tmp_path / "units")
    assert server.create("ends", flow(units)).status_code == 201
    server.wait_for("ends", "SUCCEEDED")


def test_stop_shutdown_and_no_status_fail_with_the_units_message(server: Installation, tmp_path: Path) -> None:
    units = units_in(tmp_path / "units")
    for name, options, words in (
        ("stops", ", code=24", "the sink is full"),
        ("shuts", ", code=25", "the sink is full"),
        ("none", ", raises=true", "neither a Status nor a Status.StatusCode"),
    ):
        server.create(name, flow(units, options))
        server.wait_for(name, "FAILED")
        assert words in server.status(name).json()["job_error_msg"]


STOPS = """
import _flowunit as modelbox

class Stops(modelbox.FlowUnit):
    def process(self, ctx):
        return modelbox.Status(modelbox.Status.StatusCode.STATUS_STOP, "enough")
"""


def test_a_request_in_flight_is_answered_when_its_flow_ends(server: Installation, tmp_path: Path) -> None:
    units = units_in(tmp_path / "units")
    (units / "stops.py").write_text(STOPS)
    (units / "stops.toml").write_text(
        '[base]\nname = "stops"\ndevice = "cpu"\nversion = "1.0.0"\ndescription = "s"\nentry = "stops@Stops"\n'
        'type = "python"\n[input.input1]\nname = "in_1"\n[output.output1]\nname = "out_1"\n'
    )
    dot = f"""digraph g {{ rx[flowunit=httpserver_sync_receive, endpoint="http://127.0.0.1:{server.flow_port}"]
      stops[flowunit=stops]; tx[flowunit=httpserver_sync_reply]
      rx:out_request_info -> stops:in_1; stops:out_1 -> tx:in_reply_info }}"""
    graph = {"driver": {"dir": str(units)}, "graph": {"format": "graphviz", "graphconf": dot}}
    assert server.create("stops", graph).status_code == 201
    answer = httpx.post(f"http://127.0.0.1:{server.flow_port}/", content=b"x", timeout=20, trust_env=False)
    assert answer.status_code == 503
    server.wait_for("stops", "FAILED")
    assert "enough" in server.status("stops").json()["job_error_msg"]


def test_an_error_of_a_unit_ends_nothing(server: Installation, tmp_path: Path) -> None:
    server.create("errs", flow(units_in(tmp_path / "units"), ", code=1"))
    server.wait_for("errs", "SUCCEEDED")


def test_counters_and_stalls_are_asked_of_the_engine(server: Installation, tmp_path: Path) -> None:
    options = {"stall-seconds": "0.3"}
    created = server.create("hangs", flow(units_in(tmp_path / "units"), ", hangs=true", **options))
    assert created.status_code == 201, created.text
    socket = RunDir(server.state_dir).of_engine("hangs", "sock")

    async def counted() -> Counted:
        while True:
            _, answer = await ask(socket, Counters(), 5)
            assert isinstance(answer, Counted)
            if answer.status == "blocking":
                return answer
            await asyncio.sleep(0.1)

    answer = asyncio.run(asyncio.wait_for(counted(), 20))
    nodes = {node.node: node for node in answer.nodes}
    assert nodes["source"].outputs[0].buffers == 3
    # two buffers, and the end of the stream
    assert nodes["sink"].inputs[0].queued == 3
    stall = next(stall for stall in answer.stalls if stall.node == "sink")
    assert "time.sleep" in stall.stacks[0]
