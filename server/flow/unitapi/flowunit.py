"""The base class of units, and what a unit without inputs feeds itself with (spec 4.3, 5.2, 5.3, 5.11)."""

import logging
from typing import Protocol

from server.flow.unitapi.buffer import Buffer
from server.flow.unitapi.buffer_list import BufferList
from server.flow.unitapi.configuration import Configuration
from server.flow.unitapi.context import DataContext, SessionContext
from server.flow.unitapi.status import Status, UnitStatusCode

log = logging.getLogger("server.flow")

Returned = Status | UnitStatusCode


class Device:
    __slots__ = ("_id", "_type")

    def __init__(self, kind: str = "cpu", device_id: str = "0") -> None:
        self._type, self._id = kind, device_id

    def get_device_id(self) -> str:
        return self._id

    def get_type(self) -> str:
        return self._type

    def get_device_desc(self) -> object:
        return None


class Source(Protocol):
    """One session's input, as the scheduler offers it."""

    context: SessionContext

    def send(self, buffers: list[Buffer]) -> Status: ...
    def close(self) -> None: ...


class UnitHost(Protocol):
    """What the engine gives a unit before `open`."""

    device: Device
    services: object
    """What the flow offers to built-in units beyond this API."""

    def open_source(self) -> Source | None: ...


class ExternalData:
    """How a unit without inputs starts a session and fills it. Closed when dropped."""

    def __init__(self, source: Source, device: Device) -> None:
        self._source = source
        self._device = device

    def create_buffer_list(self) -> BufferList:
        return BufferList(self._device)

    def send(self, buffers: BufferList) -> Status:
        """Queues copies of `buffers`; waits while the node's external queue is full (back-pressure)."""
        return self._source.send([Buffer(buffer) for buffer in buffers])

    def get_session_context(self) -> SessionContext:
        return self._source.context

    def get_session_config(self) -> Configuration:
        return self._source.context.get_session_config()

    def close(self) -> Status:
        self._source.close()
        return Status()

    def __del__(self) -> None:
        self._source.close()


class FlowUnit:
    """Made once per node, without arguments. The engine calls, in this order: `open`; for each stream of a
    stream or collapse unit `data_pre`, `process` as often as needed, `data_post`; `close` when the flow stops.

    `process` of a normal unit may be called from several threads at once; the calls for one stream of a
    stream unit never overlap. A method that a unit does not define succeeds.
    """

    quick = False
    """True promises that no method ever waits or computes for long: the scheduler then keeps no other thread
    ready meanwhile. For built-in units."""

    __host: UnitHost | None = None
    _host: UnitHost | None = None
    """For built-in units. A user's unit may have a `_host` and a `quick` of its own."""

    def _attach(self, host: UnitHost) -> None:
        """The engine's: called before `open`."""
        self.__host = host
        vars(self).setdefault("_host", host)

    def open(self, config: Configuration) -> Returned:
        return UnitStatusCode.STATUS_SUCCESS

    def process(self, data_ctx: DataContext) -> Returned:
        return UnitStatusCode.STATUS_SUCCESS

    def data_pre(self, data_ctx: DataContext) -> Returned:
        return UnitStatusCode.STATUS_SUCCESS

    def data_post(self, data_ctx: DataContext) -> Returned:
        return UnitStatusCode.STATUS_SUCCESS

    def data_group_pre(self, data_ctx: DataContext) -> Returned:
        """Never called, as in ModelBox (spec 4.8)."""
        return UnitStatusCode.STATUS_SUCCESS

    def data_group_post(self, data_ctx: DataContext) -> Returned:
        """Never called, as in ModelBox (spec 4.8)."""
        return UnitStatusCode.STATUS_SUCCESS

    def close(self) -> Returned:
        return UnitStatusCode.STATUS_SUCCESS

    def get_bind_device(self) -> Device:
        host = self.__host
        return host.device if host else Device()

    def create_external_data(self) -> ExternalData | None:
        """A new session that starts at this unit; None for a unit with inputs."""
        source = self.__host.open_source() if self.__host else None
        if source is None:
            log.warning("%s: only a unit without inputs can create external data", type(self).__name__)
            return None
        return ExternalData(source, self.get_bind_device())

    def create_buffer(self, data: object) -> Buffer:
        """Raises: TypeError for text (as in ModelBox) and for objects without the buffer protocol."""
        if isinstance(data, str):
            raise TypeError("create_buffer takes bytes or an array; push text into an output list instead")
        buffer = Buffer(self.get_bind_device())
        buffer.build(data)
        return buffer
