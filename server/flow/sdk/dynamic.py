"""The dynamic API: units called one after the other, which make a graph of themselves (spec 5.13)."""

from collections.abc import Iterable, Iterator, Mapping

from server.flow.sdk.external import ExternalDataMap, ExtOutputBufferList
from server.flow.sdk.flow import Flow
from server.flow.sdk.graph_desc import FlowGraphDesc, FlowNodeDesc, FlowPortDesc
from server.flow.unitapi import Buffer, BufferList, Configuration, Device, Status, UnitStatusCode


class DataHandler:
    """Data on its way: what a program pushes in (from `create_input`), or what a unit makes of it (`execute`).

    `handler["port"]` is one of its ports. Iterating over a unit's handler runs all that leads to it, once, and
    gives the buffers of its port, of its only port when none was chosen.
    """

    def __init__(self) -> None:
        self._engine: ModelBoxEngine | None = None
        self._node: _Step | None = None
        self._port: str | None = None
        self._parts: dict[str, DataHandler] = {}

    def pushdata(self, data: "Buffer | DataHandler", key: str) -> Status:
        """A buffer for the input `key`, or a handler that takes the place of it."""
        if isinstance(data, DataHandler):
            self._parts[key] = data
            return Status()
        if not isinstance(self._node, _Input):
            return Status(UnitStatusCode.STATUS_INVALID, "buffers are pushed into what create_input gave")
        if key not in self._node.buffers:
            words = f"there is no input '{key}', there are: {', '.join(self._node.buffers)}"
            return Status(UnitStatusCode.STATUS_INVALID, words)
        self._node.buffers[key].append(Buffer(data))
        return Status()

    def setmeta(self, key: str, value: str) -> Status:
        """A meta that every buffer pushed so far gets."""
        if not isinstance(self._node, _Input):
            return Status(UnitStatusCode.STATUS_INVALID, "metas are set on what create_input gave")
        for buffers in self._node.buffers.values():
            for buffer in buffers:
                buffer.set(key, value)
        return Status()

    def get_datahandler(self, key: str) -> "DataHandler | None":
        return self._parts.get(key)

    def set_datahandler(self, handlers: "Mapping[str, DataHandler]") -> Status:
        self._parts.update(handlers)
        return Status()

    def close(self) -> None:
        """No more data is pushed. Not needed: the run begins with the first result that is asked for."""

    def __getitem__(self, port: str) -> "DataHandler":
        if port in self._parts:
            return self._parts[port]
        part = DataHandler()
        part._engine, part._node, part._port = self._engine, self._node, port
        return part

    def __iter__(self) -> Iterator[Buffer]:
        """Raises: RuntimeError, when the graph cannot be built."""
        if self._engine is None or not isinstance(self._node, _Executed):
            return iter(())
        return iter(self._engine._results(self._node, self._port))


class _Step:
    """A node of the graph to be."""


class _Input(_Step):
    def __init__(self, ports: Iterable[str]) -> None:
        self.buffers: dict[str, list[Buffer]] = {port: [] for port in ports}


class _Executed(_Step):
    def __init__(self, unit: str, config: Mapping[str, object], sources: Mapping[str, DataHandler]) -> None:
        self.unit = unit
        self.config = [f"{key}={value}" for key, value in config.items()]
        self.sources = sources


class ModelBoxEngine:
    def __init__(self) -> None:
        self._folders: list[str] = []
        self._skips_default = False
        self._is_open = False

    def init(self, config: Configuration | Mapping[str, object]) -> Status:
        """`driver.dir` and `driver.skip-default` of a graph file."""
        if not isinstance(config, Configuration):
            given, config = config, Configuration()
            for key, value in given.items():
                config.set(key, value)
        self._folders = config.get_string_list("driver.dir")
        self._skips_default = config.get_bool("driver.skip-default")
        self._is_open = True
        return Status()

    def create_input(self, ports: Iterable[str]) -> DataHandler:
        handler = DataHandler()
        handler._engine, handler._node = self, _Input(sorted(ports))
        return handler

    def execute(
        self, unit: str, config: Mapping[str, object] | None, data: DataHandler | Mapping[str, DataHandler]
    ) -> DataHandler:
        """What `unit` makes of `data`: a handler for each of its input ports, or one that has a part for each.
        Nothing runs before a result is asked for."""
        sources = data if isinstance(data, Mapping) else data._parts
        if not sources and isinstance(data, DataHandler) and isinstance(data._node, _Input):
            sources = {port: data[port] for port in data._node.buffers}
        handler = DataHandler()
        handler._engine, handler._node = self, _Executed(unit, config or {}, dict(sources))
        return handler

    def shutdown(self) -> None:
        self._is_open = False

    def close(self) -> None:
        self._is_open = False

    def _results(self, step: _Executed, port: str | None) -> list[Buffer]:
        graph = _DynamicGraph(self._folders, self._skips_default)
        graph.add_result(graph.node_of(step), port)
        flow = Flow()
        status = flow.init(graph.desc)
        status = flow.start_run() if status else status
        if not status:
            raise RuntimeError(status.wrap_errormsgs())
        try:
            session = flow.create_external_data_map()
            return graph.run(session) if session is not None else []
        finally:
            flow.stop()


class _DynamicGraph:
    """Each step once, however often its results are used."""

    def __init__(self, folders: list[str], skips_default: bool) -> None:
        self.desc = FlowGraphDesc()
        self.desc.set_drivers_dir(folders)
        self.desc.set_skip_default_drivers(skips_default)
        self._nodes: dict[_Step, FlowNodeDesc] = {}
        self._inputs: dict[tuple[_Input, str], FlowNodeDesc] = {}

    def node_of(self, step: _Executed) -> FlowNodeDesc:
        node = self._nodes.get(step)
        if node is None:
            links = {port: self._port_of(source) for port, source in step.sources.items()}
            node = self._nodes[step] = self.desc.add_node(step.unit, "", step.config, links)
        return node

    def add_result(self, node: FlowNodeDesc, port: str | None) -> None:
        self.desc.add_output("result", node[port if port is not None else 0])
        self.desc.link_rest()

    def run(self, session: ExternalDataMap) -> list[Buffer]:
        for (step, port), node in self._inputs.items():
            buffers = BufferList(Device())
            for buffer in step.buffers[port]:
                buffers.push_back(buffer)
            session.send(node.get_node_name(), buffers)
        session.close()
        output = ExtOutputBufferList()
        while session.recv(output):
            pass
        return list(output.get_buffer_list("result") or ())

    def _port_of(self, source: DataHandler) -> FlowPortDesc:
        step = source._node
        if isinstance(step, _Executed):
            return self.node_of(step)[source._port if source._port is not None else 0]
        if not isinstance(step, _Input):
            raise RuntimeError("a handler without data was given to execute: use create_input or execute")
        port = source._port if source._port is not None else next(iter(step.buffers))
        if (step, port) not in self._inputs:
            self._inputs[step, port] = self.desc.add_input(f"input {len(self._inputs)} {port}")
        return self._inputs[step, port][0]
