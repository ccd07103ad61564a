"""Flows with input and output nodes, of units that are functions of a test."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

from server.flow.description import FlowType, OutputType, UnitDescription
from server.flow.run.build import UnitMaker
from server.flow.sdk import Flow, FlowStreamIO
from server.flow.sdk.graph_desc import GraphSource
from server.flow.unitapi import BufferList, Configuration, DataContext, Device, FlowUnit, Status, UnitStatusCode

SUCCESS = UnitStatusCode.STATUS_SUCCESS
CONTINUE = UnitStatusCode.STATUS_CONTINUE
STOP = UnitStatusCode.STATUS_STOP
Method = Callable[[DataContext], object]
Unit = tuple[UnitDescription, UnitMaker]
WAIT_MS = 10_000


def unit(
    name: str,
    process: Method,
    *,
    normal: bool = False,
    batch: int = 0,
    data_pre: Method | None = None,
    data_post: Method | None = None,
    opened: Callable[[Configuration], object] | None = None,
    closed: Callable[[], object] | None = None,
    **more: Any,
) -> Unit:
    """`batch`: the largest one; 0 = what a description without sizes has (spec 4.6)."""
    methods: dict[str, Any] = {"process": lambda self, context: process(context)}
    if data_pre is not None:
        methods["data_pre"] = lambda self, context: data_pre(context)
    if data_post is not None:
        methods["data_post"] = lambda self, context: data_post(context)
    if opened is not None:
        methods["open"] = lambda self, config: opened(config)
    if closed is not None:
        methods["close"] = lambda self: closed()
    made = type(name, (FlowUnit,), methods)
    described: dict[str, Any] = {
        "name": name,
        "description": "for tests",
        "entry": f"test {name}",
        "inputs": ("in_1",),
        "outputs": ("out_1",),
        "flow_type": FlowType.NORMAL if normal else FlowType.STREAM,
        "default_batch_size": batch or (8 if normal else 1),
        "max_batch_size": batch or (0 if normal else 1),
        **more,
    }
    return UnitDescription(**described), made


EXPAND: dict[str, Any] = {"output_type": OutputType.EXPAND}
COLLAPSE: dict[str, Any] = {"output_type": OutputType.COLLAPSE}


def texts(context: DataContext, port: str = "in_1") -> list[str]:
    """What the call got, errors as !code."""
    buffers = context.input(port)
    assert buffers is not None
    return [f"!{each.get_error_code()}" if each.has_error() else str(each) for each in buffers]


def push(context: DataContext, *items: object, port: str = "out_1") -> UnitStatusCode:
    out = context.output(port)
    assert out is not None
    for item in items:
        out.push_back(item)
    return SUCCESS


def passes(context: DataContext) -> UnitStatusCode:
    buffers = context.input("in_1")
    assert buffers is not None
    return push(context, *buffers)


def holds_open(context: DataContext) -> UnitStatusCode:
    passes(context)
    return CONTINUE


def flow_of(dot: str, units: Sequence[Unit] = (), settings: Mapping[str, str] | None = None) -> Flow:
    """Not built yet. `dot` is the inside of a digraph."""
    flow = Flow()
    all_settings = {"graph.format": "graphviz", "graph.graphconf": f"digraph g {{ {dot} }}", **(settings or {})}
    makers = {described.entry: maker for described, maker in units}
    flow._source = GraphSource(all_settings, None, tuple(described for described, _ in units), makers)
    return flow


@contextmanager
def running(dot: str, *units: Unit, settings: Mapping[str, str] | None = None) -> Iterator[Flow]:
    flow = flow_of(dot, units, settings)
    status = flow.start_run()
    assert status, status.wrap_errormsgs()
    try:
        yield flow
    finally:
        flow.stop()


def line(*names: str, **options: str) -> str:
    """in -> the units, each with ports in_1 and out_1 -> out. `options` are those of the unit of that name."""
    nodes = [f"{name}[flowunit={name}, device=cpu {options.get(name, '')}]" for name in names]
    ends = ["in", *(name for name in names), "out"]
    edges = []
    for source, target in pairwise(ends):
        left = source if source == "in" else f"{source}:out_1"
        right = target if target == "out" else f"{target}:in_1"
        edges.append(f"{left} -> {right}")
    return "; ".join(["in[type=input]", "out[type=output]", *nodes, *edges])


def stream_of(flow: Flow) -> FlowStreamIO:
    io = flow.create_stream_io()
    assert io is not None
    return io


def sent(flow: Flow, *items: object, port: str = "in", close: bool = True) -> FlowStreamIO:
    io = stream_of(flow)
    for item in items:
        assert io.send(port, item)
    if close:
        io.close_input()
    return io


def received(io: FlowStreamIO, port: str = "out") -> list[str]:
    """All results to the session's end, errors as !code."""
    found = []
    while (buffer := io.recv(port, WAIT_MS)) is not None:
        found.append(f"!{buffer.get_error_code()}" if buffer.has_error() else str(buffer))
    return found


def results(dot: str, units: Sequence[Unit], *items: object) -> list[str]:
    """What one session gives."""
    with running(dot, *units) as flow:
        return received(sent(flow, *items))


def how_it_ended(flow: Flow) -> Status:
    ending = Status()
    assert flow.wait(WAIT_MS, ending)
    return ending


def ending_of(dot: str, units: Sequence[Unit], *items: object) -> Status:
    """Why the flow ends when one session sends `items`."""
    with running(dot, *units) as flow:
        io = sent(flow, *items)
        ending = how_it_ended(flow)
        del io
        return ending


def list_of(*items: object) -> BufferList:

    made = BufferList(Device())
    for item in items:
        made.push_back(item)
    return made
