"""Small units whose result can be told by hand."""

import time

from server.flow.unitapi import (
    Buffer,
    BufferList,
    Configuration,
    DataContext,
    FlowUnit,
    FlowUnitEvent,
    Status,
    UnitStatusCode,
)

SUCCESS = UnitStatusCode.STATUS_SUCCESS
CONTINUE = UnitStatusCode.STATUS_CONTINUE


def taken(context: DataContext, port: str = "in_1") -> BufferList:
    buffers = context.input(port)
    assert buffers is not None
    return buffers


def out(context: DataContext, port: str = "out_1") -> BufferList:
    buffers = context.output(port)
    assert buffers is not None
    return buffers


class Src(FlowUnit):
    def process(self, data_ctx: DataContext) -> UnitStatusCode:
        external = data_ctx.external()
        assert external is not None
        for buffer in external:
            out(data_ctx).push_back(buffer)
        return SUCCESS


class Sink(FlowUnit):
    """Appends what it gets, as text, to the session's list `sunk`."""

    def process(self, data_ctx: DataContext) -> UnitStatusCode:
        sunk = data_ctx.get_session_context().get_private("sunk")
        for buffer in taken(data_ctx):
            sunk.append(f"!{buffer.get_error_code()}" if buffer.has_error() else str(buffer))
        return SUCCESS


class BlindSink(Sink):
    """The same, for a description without exception_visible."""


class Add(FlowUnit):
    """Normal: appends the option `tag`; sleeps when the text's length is a multiple of `slow`; sets an error
    when it is a multiple of `bad`."""

    def open(self, config: Configuration) -> UnitStatusCode:
        self.tag = config.get_string("tag", "n")
        self.slow = config.get_int("slow")
        self.bad = config.get_int("bad")
        return SUCCESS

    def process(self, data_ctx: DataContext) -> UnitStatusCode | Status:
        for buffer in taken(data_ctx):
            text = str(buffer)
            if self.slow and len(text) % self.slow == 0:
                time.sleep(0.001)
            result = Buffer(buffer)
            result.build(text + self.tag)
            if self.bad and len(text) % self.bad == 0:
                result.set_error("Add.Bad", text)
            out(data_ctx).push_back(result)
        return SUCCESS


class Number(FlowUnit):
    """Stream: appends a number that counts up in each stream."""

    def data_pre(self, data_ctx: DataContext) -> UnitStatusCode:
        data_ctx.set_private_int("next", 0)
        return SUCCESS

    def process(self, data_ctx: DataContext) -> UnitStatusCode:
        for buffer in taken(data_ctx):
            number = data_ctx.get_private_int("next")
            data_ctx.set_private_int("next", number + 1)
            out(data_ctx).push_back(f"{buffer}{number}")
        return SUCCESS


class Join2(FlowUnit):
    """Normal, two inputs: one text of both."""

    def process(self, data_ctx: DataContext) -> UnitStatusCode:
        for one, two in zip(taken(data_ctx), taken(data_ctx, "in_2"), strict=True):
            out(data_ctx).push_back(f"({one}|{two})")
        return SUCCESS


class OddEven(FlowUnit):
    """Condition: by the length of the text."""

    def process(self, data_ctx: DataContext) -> UnitStatusCode:
        buffer = taken(data_ctx)[0]
        assert buffer is not None
        out(data_ctx, "odd" if len(str(buffer)) % 2 else "even").push_back(buffer)
        return SUCCESS


class Split(FlowUnit):
    """Expand: as many parts as the text's length modulo 4."""

    def process(self, data_ctx: DataContext) -> UnitStatusCode:
        for buffer in taken(data_ctx):
            text = str(buffer)
            for part in range(len(text) % 4):
                out(data_ctx).push_back(f"{text}.{part}")
        return SUCCESS


class SplitByEvents(FlowUnit):
    """Stream expand: the same, one part a call."""

    def process(self, data_ctx: DataContext) -> UnitStatusCode:
        if data_ctx.event() is None:
            data_ctx.set_private_string("text", str(taken(data_ctx)[0]))
            data_ctx.set_private_int("part", 0)
        text, part = data_ctx.get_private_string("text"), data_ctx.get_private_int("part")
        if part == len(text) % 4:
            return SUCCESS
        out(data_ctx).push_back(f"{text}.{part}")
        data_ctx.set_private_int("part", part + 1)
        data_ctx.send_event(FlowUnitEvent())
        return CONTINUE


class Glue(FlowUnit):
    """Collapse, whole child stream at once."""

    def process(self, data_ctx: DataContext) -> UnitStatusCode:
        out(data_ctx).push_back("[" + ",".join(str(buffer) for buffer in taken(data_ctx)) + "]")
        return SUCCESS


class GlueBits(FlowUnit):
    """Stream unit in a child stream: gives nothing but, for each buffer of an even length, two."""

    def process(self, data_ctx: DataContext) -> UnitStatusCode:
        for buffer in taken(data_ctx):
            if len(str(buffer)) % 2 == 0:
                out(data_ctx).push_back(buffer)
                out(data_ctx).push_back(f"{buffer}'")
        return SUCCESS


class Returns(FlowUnit):
    """Passes everything on and returns the status with the number in the option `code`."""

    def open(self, config: Configuration) -> UnitStatusCode:
        self.code = config.get_int("code")
        return SUCCESS

    def process(self, data_ctx: DataContext) -> UnitStatusCode:
        for buffer in taken(data_ctx):
            out(data_ctx).push_back(buffer)
        return UnitStatusCode(self.code)


class Holds(FlowUnit):
    """Stream: gives everything only when it has seen the option `count` buffers."""

    def open(self, config: Configuration) -> UnitStatusCode:
        self.count = config.get_int("count")
        return SUCCESS

    def data_pre(self, data_ctx: DataContext) -> UnitStatusCode:
        data_ctx.set_private("held", [])
        return SUCCESS

    def process(self, data_ctx: DataContext) -> UnitStatusCode:
        held = data_ctx.get_private("held")
        held.extend(str(buffer) for buffer in taken(data_ctx))
        if len(held) == self.count:
            for text in held:
                out(data_ctx).push_back(text)
        return SUCCESS


class Turn(FlowUnit):
    """Loop: goes round until the first text has 6 letters."""

    def process(self, data_ctx: DataContext) -> UnitStatusCode:
        buffers = list(taken(data_ctx))
        port = out(data_ctx, "again" if len(str(buffers[0])) < 6 else "done")
        for buffer in buffers:
            port.push_back(buffer)
        return SUCCESS


class Fails(FlowUnit):
    """Stream: raises for texts whose length is a multiple of the option `every`."""

    def open(self, config: Configuration) -> UnitStatusCode:
        self.every = config.get_int("every", 2)
        return SUCCESS

    def process(self, data_ctx: DataContext) -> UnitStatusCode:
        for buffer in taken(data_ctx):
            if len(str(buffer)) % self.every == 0:
                raise ValueError(str(buffer))
            out(data_ctx).push_back(buffer)
        return SUCCESS
