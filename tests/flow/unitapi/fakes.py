"""What stands for the engine where a unit, a context or external data is looked at alone."""

from server.flow.unitapi import (
    Buffer,
    BufferList,
    DataContext,
    Device,
    ExternalData,
    FlowUnit,
    FlowUnitEvent,
    SessionContext,
    Status,
)

CPU = Device("cpu", "0")


class Owner:
    node_name = "node_a"
    unit_name = "unit_a"

    def __init__(self) -> None:
        self.events: list[FlowUnitEvent] = []

    def post_event(self, event: FlowUnitEvent) -> None:
        self.events.append(event)


class Source:
    def __init__(self) -> None:
        self.context = SessionContext()
        self.sent: list[str] = []
        self.closed = 0

    def send(self, buffers: list[Buffer]) -> Status:
        self.sent.extend(map(str, buffers))
        return Status()

    def close(self) -> None:
        self.closed += 1


class Host:
    device = CPU
    services = None

    def __init__(self, source: Source | None) -> None:
        self._source = source

    def open_source(self) -> Source | None:
        return self._source


def hosted(source: Source | None = None) -> FlowUnit:
    unit = FlowUnit()
    unit._attach(Host(source))
    return unit


def context(owner: Owner | None = None, **lists: list[Buffer]) -> DataContext:
    made = DataContext(SessionContext(), owner or Owner(), CPU, ("out_1",))
    made.begin({name: BufferList(buffers) for name, buffers in lists.items()})
    return made


def external_of(source: Source) -> ExternalData:
    external = hosted(source).create_external_data()
    assert external is not None
    return external
