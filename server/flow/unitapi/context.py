"""What a unit gets with each call, and what it can attach to streams and sessions (spec 4.3, 5.9, 5.10)."""

from operator import index
from typing import TYPE_CHECKING, Any, Protocol
from uuid import uuid4

from server.flow.unitapi import metas
from server.flow.unitapi.buffer_list import BufferList
from server.flow.unitapi.configuration import Configuration
from server.flow.unitapi.status import Status

if TYPE_CHECKING:
    from server.flow.unitapi.flowunit import Device


class PrivateValues:
    """Named ints and strings. Reading what is not there raises RuntimeError "invalid key."."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}

    def set_private_int(self, key: str, value: int) -> None:
        """Raises: TypeError, when `value` is no integer."""
        self._values[key] = index(value)

    def get_private_int(self, key: str) -> int:
        value: int = self._private(key, int)
        return value

    def set_private_string(self, key: str, value: str) -> None:
        """Raises: TypeError, when `value` is no text."""
        if not isinstance(value, str):
            raise TypeError(f"set_private_string takes a str, not {type(value).__name__}")
        self._values[key] = value

    def get_private_string(self, key: str) -> str:
        value: str = self._private(key, str)
        return value

    def _private(self, key: str, kind: type) -> Any:
        value = self._values.get(key)
        if not isinstance(value, kind):
            raise RuntimeError("invalid key.")
        return value


class DataMeta(PrivateValues):
    """Values that belong to a whole stream and are inherited by the streams made from it."""

    def overlaid(self, upper: "DataMeta") -> "DataMeta":
        """A new meta with the values of both; those of `upper` win."""
        merged = DataMeta()
        merged._values = {**self._values, **upper._values}
        return merged


class FlowUnitEvent(PrivateValues):
    """A unit's note to itself: `send_event` brings it back in a later call of `process`."""


class FlowUnitError:
    def __init__(self, description: str, error_pos: str = "", status: Status | None = None) -> None:
        self._description = description
        if status is not None:
            self._description = f"node: {description}, {error_pos}: {status}"

    def get_description(self) -> str:
        return self._description


class SessionContext(PrivateValues):
    """What all nodes share about one session. Safe to use from several threads."""

    def __init__(self) -> None:
        super().__init__()
        self._lazy: dict[str, Any] = {}

    def set_private(self, key: str, value: object) -> None:
        """Kept as a meta of a buffer is: lists and arrays by value (spec 5.10)."""
        self._values[key] = metas.kept(value)

    def get_private(self, key: str) -> Any:
        """Raises: ValueError, when the key is not there."""
        try:
            return metas.given(self._values[key])
        except KeyError:
            raise ValueError(f"invalid data type {key}") from None

    def get_session_config(self) -> Configuration:
        # setdefault is atomic: two threads that ask first get the same object
        config: Configuration = self._lazy.get("config") or self._lazy.setdefault("config", Configuration())
        return config

    def get_session_id(self) -> str:
        identity: str = self._lazy.get("id") or self._lazy.setdefault("id", str(uuid4()))
        return identity


class ContextOwner(Protocol):
    """The scheduler's side of a context: the stream that it belongs to."""

    node_name: str
    unit_name: str

    def post_event(self, event: FlowUnitEvent) -> None: ...


class DataContext(PrivateValues):
    """One stream's view of a node (stream units), or one call's (normal units).

    Lives from `data_pre` to `data_post` for stream units, so private values are the place for their state.
    """

    _sessions: tuple[SessionContext, ...] = ()
    """The engine's: all sessions of a call, when a profile wants to know them."""

    def __init__(
        self, session: SessionContext, owner: ContextOwner, device: "Device", outputs: tuple[str, ...]
    ) -> None:
        super().__init__()
        self._session = session
        self._owner = owner
        self._device = device
        self._output_names = outputs
        self._inputs: dict[str, BufferList] = {}
        self._outputs: dict[str, BufferList] | None = None
        self._external: BufferList | None = None
        self._event: FlowUnitEvent | None = None
        self._input_metas: dict[str, DataMeta] = {}
        self._output_metas: dict[str, DataMeta] = {}

    def input(self, port: str) -> BufferList | None:
        return self._inputs.get(port)

    def output(self, port: str) -> BufferList | None:
        return self._outputs.get(port) if self._outputs is not None else None

    def external(self) -> BufferList | None:
        return self._external

    def event(self) -> FlowUnitEvent | None:
        return self._event

    def has_error(self) -> bool:
        return any(buffer.has_error() for buffers in self._inputs.values() for buffer in buffers)

    def send_event(self, event: FlowUnitEvent) -> None:
        self._owner.post_event(event)

    def set_private(self, key: str, value: object) -> None:
        self._values[key] = value

    def get_private(self, key: str) -> Any:
        """Raises: RuntimeError, when the key is not there."""
        if key not in self._values:
            raise RuntimeError("invalid key.")
        return self._values[key]

    def get_input_meta(self, port: str) -> DataMeta | None:
        return self._input_metas.get(port)

    def get_input_group_meta(self, port: str) -> DataMeta | None:
        return self._input_metas.get(port)

    def set_output_meta(self, port: str, meta: DataMeta) -> None:
        """The first call for a port wins. It counts only before the stream's first output is sent."""
        self._output_metas.setdefault(port, meta)

    def get_session_config(self) -> Configuration:
        """A copy of what the session's configuration says for this node: keys under `nodes.`, then
        `flowunit.<unit>.`, then `node.<node>.`, the later ones winning (spec 4.3)."""
        prefixes = ("nodes.", f"flowunit.{self._owner.unit_name}.", f"node.{self._owner.node_name}.")
        return self._session.get_session_config().below(prefixes)

    def get_session_context(self) -> SessionContext:
        return self._session

    def begin(
        self,
        inputs: dict[str, BufferList],
        *,
        with_outputs: bool = True,
        external: BufferList | None = None,
        event: FlowUnitEvent | None = None,
    ) -> None:
        """The engine's: sets up the next call."""
        self._inputs = inputs
        self._external = external
        self._event = event
        self._outputs = {name: BufferList(self._device) for name in self._output_names} if with_outputs else None

    def input_streams(self, metas: dict[str, DataMeta]) -> None:
        """The engine's: the metas of the streams that the inputs come from."""
        self._input_metas = metas

    def output_meta_of(self, port: str) -> DataMeta | None:
        """The engine's: what the unit set for the stream that leaves by `port`."""
        return self._output_metas.get(port)
