"""Graphs that a program builds (spec 5.13)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from server.flow.catalogue import Catalogue
from server.flow.description import FlowType, UnitDescription
from server.flow.graph.dot_graph import DotEdge, DotGraph, DotNode
from server.flow.run.build import UnitMaker
from server.flow.status import FlowError, StatusCode
from server.flow.unitapi import DataContext, FlowUnit, Status, UnitStatusCode
from server.flow.values import LIST_SEPARATOR

UnitFunction = Callable[[DataContext], UnitStatusCode | Status]


@dataclass(frozen=True)
class GraphSource:
    """What a flow is built from: settings, and for graphs of a program their nodes and edges, and how the units
    are made that are functions of the program."""

    settings: dict[str, str]
    dot: DotGraph | None = None
    units: tuple[UnitDescription, ...] = ()
    makers: Mapping[str, UnitMaker] = field(default_factory=dict)


class FlowPortDesc:
    """An output port of a node, by its name or, until the graph is built, its number."""

    def __init__(self, node: "FlowNodeDesc", port: str | int) -> None:
        self._node = node
        self._port = port

    def get_node_name(self) -> str:
        return self._node.get_node_name()

    def get_port_name(self) -> str:
        """The port's name; its number as text for a port that was asked for by number."""
        return str(self._port)


class FlowNodeDesc:
    """A node. `node["port"]` and `node[0]` are its outputs."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._unit = ""
        self._device = ""
        self._attributes: dict[str, str] = {}
        self._inputs: Links = {}

    def set_node_name(self, name: str) -> None:
        self._name = name

    def get_node_name(self) -> str:
        return self._name

    def __getitem__(self, port: str | int) -> FlowPortDesc:
        return FlowPortDesc(self, port)


Links = Mapping[str, FlowPortDesc] | FlowNodeDesc
"""What a node reads: a port of another node for each of its inputs, or a node, output by output."""


class FlowGraphDesc:
    def __init__(self) -> None:
        self._settings: dict[str, str] = {"graph.format": "graphviz"}
        self._defaults: dict[str, str] = {}
        self._nodes: list[FlowNodeDesc] = []
        self._functions: dict[str, UnitFunction] = {}
        self._units: list[UnitDescription] = []
        self._names: dict[str, int] = {}

    def set_queue_size(self, size: int) -> None:
        self._defaults["queue_size"] = str(int(size))

    def set_batch_size(self, size: int) -> None:
        self._defaults["batch_size"] = str(int(size))

    def set_drivers_dir(self, folders: Iterable[str]) -> None:
        self._settings["driver.dir"] = LIST_SEPARATOR.join(str(folder) for folder in folders)

    def set_skip_default_drivers(self, is_skipped: bool) -> None:
        self._settings["driver.skip-default"] = "true" if is_skipped else "false"

    def set_profile_dir(self, folder: str) -> None:
        self._settings["profile.dir"] = folder

    def set_profile_trace_enable(self, is_enabled: bool) -> None:
        self._settings["profile.trace"] = "true" if is_enabled else "false"

    def add_input(self, name: str) -> FlowNodeDesc:
        node = self._new(name, {"type": "input"})
        node.set_node_name(name)
        return node

    def add_output(self, name: str, source: FlowPortDesc | FlowNodeDesc) -> None:
        """What comes out of `source` (a node: its first output) is the program's, under `name`."""
        port = source if isinstance(source, FlowPortDesc) else source[0]
        node = self._new(name, {"type": "output"})
        node.set_node_name(name)
        node._inputs = {"": port}

    def add_node(
        self,
        flowunit: str,
        device: str,
        config: "Iterable[str] | Links | None" = None,
        links: "Links | None" = None,
    ) -> FlowNodeDesc:
        """`add_node(unit, device, ["key=value"], {in_port: port})`, without the config, with one node instead of
        the ports, or without them for a unit that has no inputs.

        Raises: ValueError, when a config entry is not `key=value`.
        """
        entries: Iterable[str] = ()
        if isinstance(config, Mapping | FlowNodeDesc):
            links = config
        elif config is not None:
            entries = config
        attributes = {"type": "flowunit", "flowunit": flowunit, "device": device}
        for entry in entries:
            key, equals, value = entry.partition("=")
            if not equals or not key.strip():
                raise ValueError(f"the config entry {entry!r} is not 'key=value'")
            attributes[key.strip()] = _protected(value)
        node = self._new(flowunit, attributes)
        node._unit, node._device = flowunit, device
        node._inputs = links if links is not None else {}
        return node

    def add_function(
        self,
        function: UnitFunction,
        in_names: Iterable[str],
        out_names: Iterable[str],
        links: "Links",
    ) -> FlowNodeDesc:
        """A node whose `process` is `function`: a stream unit on the cpu."""
        name = getattr(function, "__name__", "function").strip("<>") or "function"
        entry = f"function {len(self._functions)}"
        self._functions[entry] = function
        # a unit's name must be its own: two lambdas are two units
        unit = f"{name} {len(self._functions)}"
        described = UnitDescription(
            name=unit,
            description=f"the function {name} of a program",
            entry=entry,
            inputs=tuple(in_names),
            outputs=tuple(out_names),
            flow_type=FlowType.STREAM,
        )
        self._units.append(described)
        node = self._new(name, {"type": "flowunit", "flowunit": unit, "device": "cpu"})
        node._unit, node._device = unit, "cpu"
        node._inputs = links
        return node

    def link_rest(self) -> None:
        """Gives every output port that nothing reads an output node of its own, each for itself: graphs may leave
        no port unlinked (spec 3.2)."""
        catalogue = Catalogue(self._settings, self._units)
        read = set()
        for node in self._nodes:
            for port in _links_of(node, catalogue).values():
                read.add((port.get_node_name(), _port_name(port, catalogue)))
        for node in tuple(self._nodes):
            unit = _unit_of(node, catalogue)
            for name in unit.outputs if unit is not None and node._unit else ():
                if (node.get_node_name(), name) not in read:
                    self.add_output(f"unused {node.get_node_name()} {name}", node[name])
        for node in self._nodes:
            if node._attributes["type"] == "output":
                node._attributes["output_type"] = "unmatch"

    def _new(self, name: str, attributes: dict[str, str]) -> FlowNodeDesc:
        count = self._names[name] = self._names.get(name, 0) + 1
        node = FlowNodeDesc(name if count == 1 else f"{name}{count}")
        node._attributes = attributes
        self._nodes.append(node)
        return node

    def _source(self) -> GraphSource:
        """Raises: FlowError, when two nodes have one name, or a port asked for by number is not there."""
        catalogue = Catalogue(self._settings, self._units)
        graph = DotGraph("flow", attributes=dict(self._defaults))
        for node in self._nodes:
            name = node.get_node_name()
            if name in graph.nodes:
                raise FlowError(StatusCode.EXIST, f"two nodes are named '{name}': use set_node_name")
            graph.nodes[name] = DotNode(name, 0, node._attributes)
            for port, source in _links_of(node, catalogue).items():
                from_port = _port_name(source, catalogue)
                graph.edges.append(DotEdge(source.get_node_name(), from_port, name, port, 0))
        makers = {entry: _maker(function) for entry, function in self._functions.items()}
        return GraphSource(self._settings, graph, tuple(self._units), makers)


class _FunctionUnit(FlowUnit):
    def __init__(self, function: UnitFunction) -> None:
        super().__init__()
        self._function = function

    def process(self, data_ctx: DataContext) -> UnitStatusCode | Status:
        return self._function(data_ctx)


def _maker(function: UnitFunction) -> UnitMaker:
    return lambda: _FunctionUnit(function)


def _links_of(node: FlowNodeDesc, catalogue: Catalogue) -> Mapping[str, FlowPortDesc]:
    links = node._inputs
    if not isinstance(links, FlowNodeDesc):
        return links
    unit = _unit_of(node, catalogue)
    # an unknown unit is refused by the graph checks, by name
    return {port: links[number] for number, port in enumerate(unit.inputs if unit is not None else ())}


def _port_name(port: FlowPortDesc, catalogue: Catalogue) -> str:
    node, number = port._node, port._port
    if not isinstance(number, int) or not node._unit:
        return "" if isinstance(number, int) else number
    unit = _unit_of(node, catalogue)
    if unit is None:
        return str(number)
    if not 0 <= number < len(unit.outputs):
        words = f"node '{node.get_node_name()}' has {len(unit.outputs)} outputs, so there is no number {number}"
        raise FlowError(StatusCode.BADCONF, words)
    return unit.outputs[number]


def _unit_of(node: FlowNodeDesc, catalogue: Catalogue) -> UnitDescription | None:
    devices = [node._device] if node._device else sorted({unit.device for unit in catalogue.all()})
    found = (catalogue.find(node._unit, device) for device in devices)
    return next((unit for unit in found if unit is not None), None)


def _protected(value: str) -> str:
    """So that commas and quotes of a value stay what they are: config values are no DOT text."""
    return "".join(f"\\{mark}" if mark in "\\,'\"" else mark for mark in value)
