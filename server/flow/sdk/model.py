"""`modelbox.Model`: one unit, called like a function (spec 5.13)."""

import threading
from collections.abc import Sequence
from pathlib import Path

from server.flow.run.outlet import Wait
from server.flow.sdk.external import ExternalDataMap
from server.flow.sdk.flow import Flow
from server.flow.sdk.graph_desc import FlowGraphDesc
from server.flow.settings import load_toml
from server.flow.status import FlowError
from server.flow.unitapi import Buffer, Device, Status, UnitStatusCode


class Model:
    """The unit whose description is a `*.toml` below `path` with `base.name` = `name`.

    Python units only: descriptions of inference engines (`base.type = "inference"`) are refused by `start`.
    """

    def __init__(
        self, path: str, name: str, max_batch_size: int = 1, device: str = "cpu", device_id: str = "0"
    ) -> None:
        self._paths = [path]
        self._name = name
        self._batch_size = max_batch_size
        self._device = device
        self._device_id = device_id
        self._flow: Flow | None = None
        self._inputs: tuple[str, ...] = ()
        self._outputs: tuple[str, ...] = ()
        self._lock = threading.Lock()

    def add_path(self, path: str) -> None:
        """Another folder to look for units in."""
        self._paths.append(path)

    def start(self) -> Status:
        with self._lock:
            if self._flow is not None:
                return Status()
            found = self._find()
            if isinstance(found, Status):
                return found
            path, flat = found
            if flat.get("base.type") != "python":
                words = f"{path}: type '{flat.get('base.type', '')}' cannot be run here, only 'python'"
                return Status(UnitStatusCode.STATUS_NOTSUPPORT, words)
            self._inputs = _ports(flat, "input")
            self._outputs = _ports(flat, "output")
            flow = Flow()
            status = flow.init(self._graph(path.parent))
            status = flow.start_run() if status else status
            self._flow = flow if status else None
            return status

    def stop(self) -> None:
        with self._lock:
            flow, self._flow = self._flow, None
        if flow is not None:
            flow.stop()

    def infer(self, inputs: Sequence[object]) -> list[Buffer]:
        """One buffer for each input port, in the order of the description; the same for the outputs.

        Returns: an empty list when the number of inputs is wrong, or when the unit gave nothing.
        """
        results = self.infer_batch([[each] for each in inputs])
        if not results or not all(results):
            return []
        return [buffers[0] for buffers in results]

    def infer_batch(self, inputs: Sequence[Sequence[object]]) -> list[list[Buffer]]:
        """For each input port its buffers, as many for each.

        Returns: for each output port its buffers; an empty list as `infer`.
        """
        flow = self._flow
        if flow is None or len(inputs) != len(self._inputs) or len({len(each) for each in inputs}) > 1:
            return []
        session = flow.create_external_data_map()
        if session is None or not self._sent(session, inputs):
            return []
        session.close()
        results: dict[str, list[Buffer]] = {name: [] for name in self._outputs}
        found = Wait.DATA
        while found is Wait.DATA:
            found, more = session._feed.outlet.take_all(None)
            for port, buffers in more.items():
                results[port.removeprefix("out_")].extend(buffers)
        return [results[name] for name in self._outputs]

    def _sent(self, session: ExternalDataMap, inputs: Sequence[Sequence[object]]) -> bool:
        for name, items in zip(self._inputs, inputs, strict=True):
            buffers = session.create_buffer_list()
            for item in items:
                buffers.push_back(item if isinstance(item, Buffer) else Buffer(Device(), item))
            if not session.send(f"in_{name}", buffers):
                return False
        return True

    def _find(self) -> "tuple[Path, dict[str, str]] | Status":
        for folder in self._paths:
            for path in sorted(Path(folder).rglob("*.toml")):
                try:
                    flat = load_toml(path.read_text(encoding="utf-8"))
                except (OSError, UnicodeDecodeError, FlowError):
                    continue
                if flat.get("base.name") == self._name:
                    return path, flat
        words = f"no description below {', '.join(self._paths)} has base.name = '{self._name}'"
        return Status(UnitStatusCode.STATUS_NOTFOUND, words)

    def _graph(self, folder: Path) -> FlowGraphDesc:
        graph = FlowGraphDesc()
        graph.set_drivers_dir([str(folder), *self._paths])
        graph.set_batch_size(self._batch_size)
        links = {name: graph.add_input(f"in_{name}")[0] for name in self._inputs}
        node = graph.add_node(self._name, self._device, [f"deviceid={self._device_id}"], links)
        for name in self._outputs:
            graph.add_output(f"out_{name}", node[name])
        return graph


def _ports(flat: dict[str, str], direction: str) -> tuple[str, ...]:
    """In the order of the headers in the file."""
    prefix = f"{direction}."
    return tuple(value for key, value in flat.items() if key.startswith(prefix) and key.endswith(".name"))
