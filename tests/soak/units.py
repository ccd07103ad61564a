"""Units that misbehave, each by what the request's text asks for."""

import time

from server.flow.unitapi import Buffer, DataContext, FlowUnit, Status, UnitStatusCode

SUCCESS = UnitStatusCode.STATUS_SUCCESS


def _texts(context: DataContext) -> list[str]:
    buffers = context.input("in_1")
    assert buffers is not None
    return [str(buffer) for buffer in buffers]


class Misbehaves(FlowUnit):
    """Stream: does what the first word of the text says; passes the rest on."""

    def process(self, data_ctx: DataContext) -> UnitStatusCode | Status:
        out = data_ctx.output("out_1")
        assert out is not None
        for text in _texts(data_ctx):
            word = text.partition(" ")[0]
            if word == "raise":
                raise ValueError(text)
            if word == "fail":
                return Status(UnitStatusCode.STATUS_NODATA, text)
            if word == "late":
                time.sleep(0.4)
            if word == "slow":
                time.sleep(0.01)
            if word == "error":
                buffer = Buffer(None, text)
                buffer.set_error("Misbehaves.Asked", text)
                out.push_back(buffer)
            # the wrong counts: none, and three instead of one
            copies = {"none": 0, "three": 3, "error": 0}.get(word, 1)
            for _ in range(copies):
                out.push_back(text)
        return SUCCESS


class Batches(FlowUnit):
    """Normal: buffers of several requests in one call; slow now and then."""

    def process(self, data_ctx: DataContext) -> UnitStatusCode:
        out = data_ctx.output("out_1")
        assert out is not None
        for text in _texts(data_ctx):
            if text.endswith("7"):
                time.sleep(0.001)
            out.push_back(text.upper())
        return SUCCESS
