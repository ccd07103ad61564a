"""DOT nodes and edges into plan nodes and edges, with the checks of the build step (spec 2.2 to 2.6, 3.2)."""

from collections.abc import Callable, Mapping
from functools import partial

from server.flow import values
from server.flow.catalogue import Catalogue
from server.flow.description import UnitDescription
from server.flow.graph.attributes import stored_attributes
from server.flow.graph.devices import device_request
from server.flow.graph.dot_graph import DotEdge, DotGraph
from server.flow.graph.draft import Draft, listed, nearest, place
from server.flow.graph.findings import Findings
from server.flow.graph.missing_units import why_no_unit
from server.flow.plan import NodeKind, PlanEdge, PlanNode
from server.flow.settings import shown
from server.flow.status import FlowError, StatusCode

STEP = "build graph failed, please check graph config."
MAX_OPTIONS = 32_000_000
"""Characters in the options of all nodes together."""

_INHERITED = ("batch_size", "queue_size", "deviceid", "need_check_output")


def build(
    dot: DotGraph, catalogue: Catalogue, strict: bool, args: Mapping[str, str] | None, findings: Findings
) -> Draft:
    """The graph as far as it can be built: nodes in alphabetical order first, then edges as written.

    `args` replace node attributes that are `$name` as a whole; None = no replacement (spec 1.5).
    """
    return _Builder(dot, catalogue, strict, args, findings).build()


class _Builder:
    def __init__(
        self,
        dot: DotGraph,
        catalogue: Catalogue,
        strict: bool,
        args: Mapping[str, str] | None,
        findings: Findings,
    ) -> None:
        self._dot = dot
        self._catalogue = catalogue
        self._strict = strict
        self._args = args
        self._draft = Draft()
        self._findings = findings
        self._refused: set[str] = set()
        self._inputs: dict[str, dict[str, str]] = {}
        self._outputs: dict[str, dict[str, str]] = {}
        self._defaults = self._graph_defaults()
        self._ports_in: dict[str, dict[str, int]] = {}
        self._ports_out: dict[str, dict[str, int]] = {}
        for edge in dot.edges:
            self._ports_out.setdefault(edge.source, {}).setdefault(edge.source_port, edge.line)
            self._ports_in.setdefault(edge.target, {}).setdefault(edge.target_port, edge.line)

    def build(self) -> Draft:
        inherited = sum(len(key) + len(value) for key, value in self._defaults.items())
        size = 0
        for name in sorted(self._dot.nodes):
            options = self._options(name)
            size += inherited + sum(len(key) + len(value) for key, value in options.items())
            if size > MAX_OPTIONS:
                raise FlowError(StatusCode.FAULT, STEP, f"node attributes of more than {MAX_OPTIONS} characters")
            self._attempt(name, partial(self._node, name, options))
        self._virtual_nodes()
        for edge in self._dot.edges:
            self._link(edge)
        return self._draft

    def _attempt(self, name: str, action: Callable[[], None]) -> None:
        try:
            action()
        except FlowError as error:
            self._refused.add(name)
            self._findings.add(error.within(STEP))

    def _graph_defaults(self) -> dict[str, str]:
        stored = stored_attributes(self._dot.attributes)
        return {key: stored[key] for key in _INHERITED if key in stored}

    def _options(self, name: str) -> dict[str, str]:
        options = stored_attributes(self._dot.nodes[name].attributes)
        if self._args is None:
            return options
        return {key: self._argument(value) for key, value in options.items()}

    def _argument(self, value: str) -> str:
        assert self._args is not None
        return self._args.get(value[1:], value) if value.startswith("$") else value

    def _place(self, name: str) -> str:
        node = self._dot.nodes.get(name)
        return place(name, node.line if node else None)

    def _node(self, name: str, options: dict[str, str]) -> None:
        kind = options.get("type", "flowunit" if "flowunit" in options else "")
        match kind:
            case "flowunit":
                self._flowunit_node(name, options)
            case "input":
                self._inputs[name] = options
            case "output":
                self._outputs[name] = options
            case _ if self._strict:
                raise self._unknown_type(name, kind)

    def _unknown_type(self, name: str, kind: str) -> FlowError:
        known = ("flowunit", "input", "output")
        if kind:
            ours = f"{self._place(name)}: the type is one of {', '.join(known)}; {nearest(kind, known)}"
        elif self._dot.nodes[name].attributes:
            ours = f"{self._place(name)}: give it flowunit=..., or type=input or type=output"
        else:
            others = [other for other in self._dot.nodes if other != name]
            ours = f"{self._place(name)} is not declared with any attribute; {nearest(name, others)}"
        text = f"unsupport node type. name: '{shown(name)}' type: '{shown(kind)}'"
        return FlowError(StatusCode.NOTSUPPORT, text, ours)

    def _flowunit_node(self, name: str, options: dict[str, str]) -> None:
        linked_in, linked_out = self._ports_in.get(name, {}), self._ports_out.get(name, {})
        if not linked_in and not linked_out:
            if not self._strict:
                return
            raise FlowError(
                StatusCode.BADCONF,
                f"orphan node: '{shown(name)}', use graph.strict=false to disable orphan check",
                f"{self._place(name)} has no edge",
            )
        options = self._defaults | options
        unit_name = options.get("flowunit", "")
        if not unit_name:
            raise FlowError(
                StatusCode.INVALID,
                f"node {shown(name)}: flowunit name is empty.",
                f"{self._place(name)}: give it flowunit=...",
            )
        unit, device_id = self._find_unit(name, unit_name, options)
        self._check_ports(name, unit, linked_in, linked_out)
        self._check_queues(name, options, unit.inputs)
        self._draft.lines[name] = self._dot.nodes[name].line
        self._draft.nodes[name] = PlanNode(
            name=name,
            unit=unit,
            device=unit.device,
            device_id=device_id,
            options=options,
            inputs=unit.inputs,
            outputs=unit.outputs,
        )

    def _find_unit(self, name: str, unit: str, options: dict[str, str]) -> tuple[UnitDescription, str]:
        device = options.get("device", "")
        request = device_request(device, options.get("deviceid", ""))
        failed = f"create flowunit '{shown(unit)}' failed."
        if request.conflict:
            raise FlowError(
                StatusCode.NOTFOUND,
                failed,
                "should not set deviceid param when use multi device",
                f"{self._place(name)}: deviceid goes with one plain device type, "
                f"and device is '{shown(request.text)}'",
            )
        for candidate, device_id in request.candidates():
            found = self._catalogue.find(unit, candidate)
            if found is not None:
                return found, device_id
        absence = why_no_unit(self._catalogue, unit, request)
        if absence.bad_entry:
            raise FlowError(
                StatusCode.INVALID,
                f"open flowunit '{shown(unit)}', type '{shown(request.text or 'cpu')}' failed.",
                f"invalid entry string: {shown(absence.bad_entry)}",
                f"{self._place(name)}: {absence.words}",
            )
        raise FlowError(
            StatusCode.NOTFOUND,
            failed,
            f"can not find flowunit [type: {shown(request.text)}, name:{shown(unit)}], "
            "Please check if the 'device' configured correctly or if the flowunit library exists.",
            f"{self._place(name)}: {absence.words}",
        )

    def _check_ports(
        self, name: str, unit: UnitDescription, linked_in: dict[str, int], linked_out: dict[str, int]
    ) -> None:
        # an edge without a port is refused as a link, which names it better
        if "" in linked_in or "" in linked_out:
            return
        complaints = [
            *_port_complaints("input", unit.inputs, linked_in, unit.outputs),
            *_port_complaints("output", unit.outputs, linked_out, unit.inputs),
        ]
        if not complaints:
            return
        raise FlowError(
            StatusCode.BADCONF,
            f"flowunit '{shown(unit.name)}' config error, port not connect correctly.",
            f"{self._place(name)}: {'; '.join(complaints[:8])}; the unit has the inputs {listed(unit.inputs)} "
            f"and the outputs {listed(unit.outputs)}",
        )

    def _check_queues(self, name: str, options: dict[str, str], inputs: tuple[str, ...]) -> None:
        keys = ["queue_size", *(f"queue_size_{port}" for port in inputs)]
        if not inputs:
            keys = ["queue_size", "queue_size_external"]
        for key in keys:
            if values.get_int(options, key, 1, values.UINT32) == 0:
                raise FlowError(
                    StatusCode.INVALID,
                    "queue size config is zero",
                    f"{self._place(name)}: {key} must be 1 or more",
                )

    def _virtual_nodes(self) -> None:
        """All input nodes are one node, and all output nodes another, named after the first (spec 2.5, 2.6)."""
        if self._inputs:
            first = min(self._inputs)
            options = self._inputs[first]
            self._attempt(first, lambda: self._check_queues(first, options, ()))
            self._add_virtual(first, NodeKind.INPUT, options)
        if self._outputs:
            first = min(self._outputs)
            options = self._outputs[first]
            self._attempt(first, lambda: self._check_output(first, options))
            self._attempt(first, lambda: self._check_queues(first, options, tuple(self._outputs)))
            self._add_virtual(first, NodeKind.OUTPUT, options)

    def _check_output(self, name: str, options: dict[str, str]) -> None:
        output_type = options.get("output_type", "match")
        if output_type not in ("match", "unmatch"):
            raise FlowError(
                StatusCode.INVALID,
                "Invalid Output Type",
                f"{self._place(name)}: output_type is match or unmatch, not '{shown(output_type)}'",
            )

    def _add_virtual(self, first: str, kind: NodeKind, options: dict[str, str]) -> None:
        is_input = kind is NodeKind.INPUT
        ports = tuple(sorted(self._inputs if is_input else self._outputs))
        for name in ports:
            self._draft.lines[name] = self._dot.nodes[name].line
        self._draft.nodes[first] = PlanNode(
            name=first,
            kind=kind,
            options=options,
            inputs=() if is_input else ports,
            outputs=ports if is_input else (),
        )

    def _link(self, edge: DotEdge) -> None:
        if edge.source in self._refused or edge.target in self._refused:
            return
        try:
            source, source_port = self._end(edge, "src")
            target, target_port = self._end(edge, "dst")
        except FlowError as error:
            self._findings.add(error.within(STEP))
            return
        link = PlanEdge(source=source, source_port=source_port, target=target, target_port=target_port)
        self._draft.edges.setdefault(link, edge.line)

    def _end(self, edge: DotEdge, side: str) -> tuple[str, str]:
        """The plan node and port of one end of an edge. A port written at an input or output node is ignored."""
        is_source = side == "src"
        name, port = (edge.source, edge.source_port) if is_source else (edge.target, edge.target_port)
        virtual = self._inputs if is_source else self._outputs
        if name in virtual:
            return min(virtual), name
        node = self._draft.nodes.get(name)
        ports = () if node is None or node.unit is None else node.outputs if is_source else node.inputs
        if port in ports:
            return name, port
        raise FlowError(
            StatusCode.BADCONF,
            "add link failed.",
            f"{side} port is not exist. node: {shown(name)} port: {shown(port)}",
            self._no_port(name, port, ports, edge.line, is_source),
        )

    def _no_port(self, name: str, port: str, ports: tuple[str, ...], line: int, is_source: bool) -> str:
        edge = f"edge in line {line}" if line else "edge"
        if name in self._inputs or name in self._outputs:
            kind = "input" if name in self._inputs else "output"
            arrow = "begin" if is_source else "end"
            return f"{edge}: {self._place(name)} is of type={kind}, so no edge can {arrow} there"
        if name not in self._draft.nodes:
            return f"{edge}: {self._place(name)} is left out of the graph (graph.strict is false)"
        direction = "output" if is_source else "input"
        if not ports:
            return f"{edge}: the unit of {self._place(name)} has no {direction} port"
        if not port:
            example = f"{shown(name, 60)}:{shown(ports[0], 60)}"
            return f"{edge}: write the port, as in {example}; {direction}s: {listed(ports)}"
        return f"{edge}: {self._place(name)} has no {direction} port '{shown(port)}'; {nearest(port, ports)}"


def _port_complaints(
    direction: str, declared: tuple[str, ...], linked: dict[str, int], others: tuple[str, ...]
) -> list[str]:
    """`others`: the ports of the other direction."""
    complaints = [
        f"node {direction} port: {shown(port)} is not connected" for port in declared if port not in linked
    ]
    for port, line in linked.items():
        if port not in declared:
            way = "begins" if direction == "output" else "ends"
            instead = f"the edge {way} at the wrong side" if port in others else nearest(port, declared)
            complaints.append(
                f"config {direction} port [ {shown(port)} ] not defined in flowunit "
                f"({f'line {line}; ' if line else ''}{instead})"
            )
    return complaints
