"""Sessions of a program, list-wise (spec 4.12, 5.13)."""

from server.flow.run.inputs import InputFeed
from server.flow.run.outlet import Wait
from server.flow.unitapi import (
    Buffer,
    BufferList,
    DataMeta,
    Device,
    FlowUnitError,
    SessionContext,
    Status,
    UnitStatusCode,
)


class ExtOutputBufferList:
    """What `ExternalDataMap.recv` fills: buffers by output node. Another `recv` appends."""

    def __init__(self) -> None:
        self._lists: dict[str, BufferList] = {}

    def get_buffer_list(self, port: str) -> BufferList | None:
        return self._lists.get(port)

    def _append(self, port: str, buffers: list[Buffer]) -> None:
        self._lists.setdefault(port, BufferList(Device()))._buffers.extend(buffers)


class ExternalDataMap:
    """One session. Dropping the object closes its input. Safe from several threads."""

    def __init__(self, feed: InputFeed) -> None:
        self._feed = feed

    def create_buffer_list(self) -> BufferList:
        return BufferList(Device())

    def send(self, port: str, buffers: BufferList) -> Status:
        """Queues copies of `buffers` for the input node `port`; waits while the external queue is full. With
        several inputs, data waits until every input has a buffer at that position."""
        return send(self._feed, port, [Buffer(buffer) for buffer in buffers])

    def recv(self, output: ExtOutputBufferList) -> Status:
        """Waits for results and appends all that are there.

        Returns: SUCCESS; EOF at the session's end; INVALID at the end of a session with an error, which
        `get_last_error` tells.
        """
        found, results = self._feed.outlet.take_all(None)
        for port, buffers in results.items():
            output._append(port, buffers)
        return Status() if found is Wait.DATA else end_status(self._feed)

    def close(self) -> Status:
        """No more input. What was sent is worked off."""
        self._feed.close()
        return Status()

    def shutdown(self) -> Status:
        """No more events, and CONTINUE keeps no stream open any longer."""
        self._feed.shutdown()
        return Status()

    def set_output_meta(self, port: str, meta: DataMeta) -> Status:
        """The meta of the stream that begins at the input node `port`; call it before `send`."""
        if port not in self._feed.ports:
            return _unknown(self._feed, port)
        self._feed.set_meta(port, meta)
        return Status()

    def get_last_error(self) -> FlowUnitError | None:
        error = self._feed.outlet.error
        return FlowUnitError(error) if error is not None else None

    def get_session_context(self) -> SessionContext:
        """Not in ModelBox's Python: how a program configures its session before it sends (spec 4.3)."""
        return self._feed.session_context

    def __del__(self) -> None:
        self._feed.close()


def send(feed: InputFeed, port: str, buffers: list[Buffer]) -> Status:
    if port not in feed.ports:
        return _unknown(feed, port)
    if feed.send(port, buffers):
        return Status()
    words = "the input is closed" if feed.is_closed else "the flow has been stopped"
    return Status(UnitStatusCode.STATUS_STOP, words)


def end_status(feed: InputFeed) -> Status:
    if feed.outlet.error is None:
        return Status(UnitStatusCode.STATUS_EOF)
    return Status(UnitStatusCode.STATUS_INVALID, feed.outlet.error)


def _unknown(feed: InputFeed, port: str) -> Status:
    words = f"Send Port {port} is not exist, the inputs are: {', '.join(feed.ports)}"
    return Status(UnitStatusCode.STATUS_INVALID, words)
