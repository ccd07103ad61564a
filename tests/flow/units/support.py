"""Runs one built-in unit in a flow: what a test feeds goes in, what comes out is noted."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

from server.flow.description import FlowType, UnitDescription
from server.flow.flow import Flow, FlowLimits
from server.flow.own_listeners import OwnListeners
from server.flow.plan import Plan, PlanEdge, PlanNode
from server.flow.run.source import SourceNode
from server.flow.status import FlowError
from server.flow.unitapi import Buffer, Configuration, DataContext, FlowUnit, UnitStatusCode
from server.flow.units import BUILTIN

SUCCESS = UnitStatusCode.STATUS_SUCCESS


@dataclass
class Script:
    """What `Feeds` sends, one session for each list, and what `Notes` saw."""

    sessions: Sequence[Sequence[Buffer]] = ()
    config: dict[str, str] = field(default_factory=dict)
    """Written to the configuration of each session."""
    second: list[Buffer] = field(default_factory=list)
    """What a unit's second input gets, one for each buffer of the only session."""
    seen: list[Buffer] = field(default_factory=list)
    metas: list[dict[str, Any]] = field(default_factory=list)
    privates: list[dict[str, Any]] = field(default_factory=list)


class Feeds(FlowUnit):
    script: ClassVar[Script] = Script()

    def open(self, config: Configuration) -> UnitStatusCode:
        for session in self.script.sessions:
            external = self.create_external_data()
            assert external is not None
            for key, value in self.script.config.items():
                external.get_session_config().set(key, value)
            buffers = external.create_buffer_list()
            for buffer in session:
                buffers.push_back(buffer)
            external.send(buffers)
            external.close()
        return SUCCESS

    def process(self, data_ctx: DataContext) -> UnitStatusCode:
        sent, out, second = data_ctx.external(), data_ctx.output("out_1"), data_ctx.output("out_2")
        assert sent is not None
        assert out is not None
        for buffer in sent:
            out.push_back(buffer)
            if second is not None:
                second.push_back(self.script.second.pop(0))
        return SUCCESS


class Notes(FlowUnit):
    lock: ClassVar[threading.Lock] = threading.Lock()

    def process(self, data_ctx: DataContext) -> UnitStatusCode:
        buffers, meta = data_ctx.input("in_1"), data_ctx.get_input_meta("in_1")
        assert buffers is not None
        with self.lock:
            Feeds.script.seen.extend(buffers)
            Feeds.script.metas.append(dict(meta._values) if meta is not None else {})
            Feeds.script.privates.append(dict(data_ctx.get_session_context()._values))
        return SUCCESS


def builtin(name: str) -> UnitDescription:
    return next(unit for unit in BUILTIN if unit.name == name)


def plan_of(name: str, options: dict[str, str]) -> Plan:
    """Feeds -> the unit -> Notes, as far as it has ports."""
    unit = builtin(name)
    nodes = [PlanNode(name="unit", unit=unit, inputs=unit.inputs, outputs=unit.outputs, options=options)]
    edges = []
    fed = tuple(f"out_{number}" for number, _ in enumerate(unit.inputs, 1))
    if fed:
        nodes.insert(0, PlanNode(name="feeds", unit=_helper("Feeds", outputs=fed), outputs=fed))
    for source_port, port in zip(fed, unit.inputs, strict=True):
        edges.append(PlanEdge(source="feeds", source_port=source_port, target="unit", target_port=port))
    for port in unit.outputs:
        nodes.append(PlanNode(name="notes", unit=_helper("Notes", inputs=("in_1",)), inputs=("in_1",)))
        edges.append(PlanEdge(source="unit", source_port=port, target="notes", target_port="in_1"))
    return Plan(name=name, nodes=tuple(nodes), edges=tuple(edges))


async def run_unit(
    name: str,
    options: dict[str, str],
    *sessions: Sequence[Buffer],
    config: dict[str, str] | None = None,
    second: Sequence[Buffer] = (),
) -> Script:
    """Until all that was fed is through."""
    async with opened(name, options, *sessions, config=config, second=second) as (flow, script):
        await until_through(flow)
        assert flow._end is None
    return script


@asynccontextmanager
async def opened(
    name: str,
    options: dict[str, str],
    *sessions: Sequence[Buffer],
    config: dict[str, str] | None = None,
    second: Sequence[Buffer] = (),
) -> AsyncIterator[tuple[Flow, Script]]:
    script = Feeds.script = Script(sessions=sessions, config=config or {}, second=list(second))
    flow = Flow(plan_of(name, options), OwnListeners(), FlowLimits())
    await flow.open()
    try:
        yield flow, script
    finally:
        await flow.stop(1)


async def until_through(flow: Flow) -> None:
    sources = [node for node in flow._nodes.values() if isinstance(node, SourceNode)]
    for _ in range(1000):
        if all(source.fed and not source.sessions for source in sources):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the flow is not through")


async def refusal_of(name: str, options: dict[str, str]) -> FlowError:
    """What opening the flow says."""
    Feeds.script = Script()
    flow = Flow(plan_of(name, options), OwnListeners(), FlowLimits())
    try:
        await flow.open()
    except FlowError as error:
        return error
    await flow.stop(0)
    raise AssertionError(f"{name} opens with {options}")


def buffer(data: str | bytes, **metas: object) -> Buffer:
    made = Buffer(None, data)
    for name, value in metas.items():
        made.set(name, value)
    return made


def _helper(name: str, **more: Any) -> UnitDescription:
    return UnitDescription(
        name=name,
        description="for tests",
        entry=f"tests.flow.units.support:{name}",
        flow_type=FlowType.STREAM,
        exception_visible=True,
        **more,
    )
