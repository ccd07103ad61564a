"""Units for the tests, written as a user would write them."""

import threading
import time
from typing import ClassVar

from server.flow.unitapi import (
    Buffer,
    BufferKind,
    Configuration,
    DataContext,
    FlowUnit,
    FlowUnitEvent,
    Status,
    UnitStatusCode,
)

SUCCESS = UnitStatusCode.STATUS_SUCCESS


class PerBuffer(FlowUnit):
    """Gives for each input buffer what `one` makes of it."""

    def process(self, data_ctx: DataContext) -> UnitStatusCode | Status:
        taken, out = data_ctx.input("in_1"), data_ctx.output("out_1")
        assert taken is not None
        assert out is not None
        for buffer in taken:
            out.push_back(self.one(buffer))
        return SUCCESS

    def one(self, buffer: Buffer) -> object:
        return buffer


class Metas(PerBuffer):
    def one(self, buffer: Buffer) -> object:
        kind = buffer._kind is BufferKind.STR
        names = ("size", "method", "uri", "endpoint")
        return f"{kind} {[buffer.get(name) for name in names]} {buffer.get('headers')['x-mine']}"


class Kind(PerBuffer):
    def one(self, buffer: Buffer) -> object:
        return f"{buffer._kind.name}:".encode() + buffer.as_bytes()


class Raises(PerBuffer):
    def one(self, buffer: Buffer) -> object:
        raise ValueError(f"cannot take {buffer}")


class ReturnsError(FlowUnit):
    def process(self, data_ctx: DataContext) -> Status:
        return Status(UnitStatusCode.STATUS_NODATA, "nothing in it")


class ReturnsNone(FlowUnit):
    def process(self, data_ctx: DataContext) -> Status:
        return None  # type: ignore[return-value]


class SetsError(PerBuffer):
    def one(self, buffer: Buffer) -> object:
        answer = Buffer(buffer)
        answer.set_error("Mine.Bad", "wrong key")
        return answer


class Status418(PerBuffer):
    def one(self, buffer: Buffer) -> object:
        answer = Buffer(buffer)
        answer.set("status", 418)
        answer.set("headers", {"X-Tea": "green", "Content-Type": "text/tea", "X-Bad": "a\r\nSet-Cookie: b"})
        return answer


class Drops(FlowUnit):
    """A stream unit that gives nothing."""


class Slow(PerBuffer):
    def one(self, buffer: Buffer) -> object:
        time.sleep(float(str(buffer)))
        return buffer


class Hangs(FlowUnit):
    """Comes back only when the test says so."""

    gate = threading.Event()

    def process(self, data_ctx: DataContext) -> UnitStatusCode:
        Hangs.gate.wait(30)
        return SUCCESS


class HangsOnWait(PerBuffer):
    def one(self, buffer: Buffer) -> object:
        if str(buffer) == "wait":
            Hangs.gate.wait(30)
        return buffer


class Continues(FlowUnit):
    """Keeps its stream open for ever."""

    def process(self, data_ctx: DataContext) -> UnitStatusCode:
        return UnitStatusCode.STATUS_CONTINUE


class Counts(FlowUnit):
    """Answers with a number that it keeps for each request, after three events."""

    def data_pre(self, data_ctx: DataContext) -> UnitStatusCode:
        data_ctx.set_private_int("left", 3)
        return SUCCESS

    def process(self, data_ctx: DataContext) -> UnitStatusCode:
        left = data_ctx.get_private_int("left")
        if left == 0:
            out = data_ctx.output("out_1")
            assert out is not None
            out.push_back("counted down")
            return SUCCESS
        data_ctx.set_private_int("left", left - 1)
        data_ctx.send_event(FlowUnitEvent())
        return UnitStatusCode.STATUS_CONTINUE


class FailsToOpen(FlowUnit):
    def open(self, config: Configuration) -> Status:
        return Status(UnitStatusCode.STATUS_BADCONF, "no such thing")


class SendsAtOpen(FlowUnit):
    """A source that has five buffers, all of them before the flow starts."""

    def open(self, config: Configuration) -> UnitStatusCode:
        external = self.create_external_data()
        assert external is not None
        buffers = external.create_buffer_list()
        for number in range(5):
            buffers.push_back(str(number))
        external.send(buffers)
        external.close()
        return SUCCESS

    def process(self, data_ctx: DataContext) -> UnitStatusCode:
        taken, out = data_ctx.external(), data_ctx.output("out_1")
        assert taken is not None
        assert out is not None
        for buffer in taken:
            out.push_back(buffer)
        return SUCCESS


class Takes(FlowUnit):
    """A sink."""


class Collects(FlowUnit):
    """A sink that notes what came, when its gate is open."""

    gate: ClassVar[threading.Event] = threading.Event()
    seen: ClassVar[list[tuple[str, str]]] = []

    def process(self, data_ctx: DataContext) -> UnitStatusCode:
        buffers = data_ctx.input("in_1")
        assert buffers is not None
        assert self.gate.wait(20)
        for buffer in buffers:
            body = buffer.as_bytes().decode()
            if body == "raise":
                raise ValueError(body)
            metas = [str(buffer.get(name)) for name in ("method", "uri", "endpoint", "size")]
            self.seen.append((body, " ".join(metas)))
        return SUCCESS


class Twice(FlowUnit):
    """Two outputs for each input."""

    def process(self, data_ctx: DataContext) -> UnitStatusCode:
        buffers, out = data_ctx.input("in_1"), data_ctx.output("out_1")
        assert buffers is not None
        assert out is not None
        for buffer in buffers:
            for number in (1, 2):
                out.push_back(f"{buffer.as_bytes().decode()}{number}")
        return SUCCESS


class CountsSession(PerBuffer):
    """For each session: how many buffers it had, and whether it ended."""

    seen: ClassVar[dict[str, tuple[int, bool]]] = {}

    def process(self, data_ctx: DataContext) -> UnitStatusCode | Status:
        buffers = data_ctx.input("in_1")
        assert buffers is not None
        session = data_ctx.get_session_context().get_session_id()
        self.seen[session] = (self.seen.get(session, (0, False))[0] + len(buffers), False)
        return super().process(data_ctx)

    def data_post(self, data_ctx: DataContext) -> UnitStatusCode:
        session = data_ctx.get_session_context().get_session_id()
        self.seen[session] = (self.seen[session][0], True)
        return SUCCESS
