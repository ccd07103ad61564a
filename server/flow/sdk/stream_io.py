"""Sessions of a program, buffer by buffer (spec 5.13, A.5)."""

from typing import overload

from server.flow.run.inputs import InputFeed
from server.flow.run.outlet import Wait
from server.flow.sdk.external import end_status, send
from server.flow.unitapi import Buffer, Device, SessionContext, Status, UnitStatusCode


class FlowStreamIO:
    """One session. Dropping the object shuts it down: results that were not received are lost."""

    def __init__(self, feed: InputFeed) -> None:
        self._feed = feed

    def create_buffer(self, data: object = None) -> Buffer:
        """An empty buffer, or one of text, bytes or an array."""
        return Buffer(Device(), data)

    def send(self, port: str, data: object) -> Status:
        """Queues a buffer, or what one can be built from, for the input node `port`."""
        buffer = Buffer(data) if isinstance(data, Buffer) else Buffer(Device(), data)
        return send(self._feed, port, [buffer])

    @overload
    def recv(self, port: str, buffer: Buffer, timeout: int = 0) -> Status: ...
    @overload
    def recv(self, port: str, buffer: int = 0) -> Buffer | None: ...

    def recv(self, port: str, buffer: Buffer | int = 0, timeout: int = 0) -> Status | Buffer | None:
        """The next result of the output node `port`; waits up to `timeout` ms, 0 = for ever, negative = not.

        With a buffer: fills it and returns a Status: SUCCESS, TIMEDOUT, INVALID for an unknown port or a session
        that ended with an error, EOF for one that ended without. Without: the buffer, or None instead of these.
        """
        if isinstance(buffer, Buffer):
            status, received = self._receive(port, timeout)
            if received is not None:
                buffer._copy_of(received)
            return status
        return self._receive(port, buffer or timeout)[1]

    def close_input(self) -> Status:
        """No more input. What was sent is worked off."""
        self._feed.close()
        return Status()

    def get_session_context(self) -> SessionContext:
        """Not in ModelBox's Python: how a program configures its session before it sends (spec 4.3)."""
        return self._feed.session_context

    def _receive(self, port: str, timeout: int) -> tuple[Status, Buffer | None]:
        outlet = self._feed.outlet
        if not outlet.has_port(port):
            return Status(UnitStatusCode.STATUS_INVALID, f"there is no output {port}"), None
        found, buffer = outlet.take(port, None if timeout == 0 else max(0, timeout) / 1000)
        if found is Wait.DATA:
            return Status(), buffer
        if found is Wait.TIMED_OUT:
            return Status(UnitStatusCode.STATUS_TIMEDOUT, f"no result within {max(0, timeout)} ms"), None
        return end_status(self._feed), None

    def __del__(self) -> None:
        self._feed.shutdown()
