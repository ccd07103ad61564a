"""A flow that is told to stop takes nothing more from its source units, and brings what they sent to its end.

Of one that a program runs, and of `flow run`: tests/flow/commands/test_drain.py.
"""

import threading
from typing import Any

from server.flow.unitapi import BufferList, DataContext, Device, ExternalData, FlowUnit, FlowUnitEvent, Status
from server.flow.unitapi import UnitStatusCode as Code
from tests.flow.run.programs import CONTINUE, Unit, push, running, texts, unit

SOURCE_TO_SINK = "s[flowunit=source]; k[flowunit=sink]; s:out_1 -> k:in_1"


class Source(FlowUnit):
    """Sends one buffer when it opens, and keeps its session open."""

    def __init__(self) -> None:
        super().__init__()
        self.sessions: list[ExternalData] = []

    def open(self, config: object) -> Status:
        self.begin("first")
        return Status()

    def begin(self, text: str) -> Status:
        session = self.create_external_data()
        assert session is not None
        self.sessions.append(session)
        return self.send(session, text)

    def send(self, session: ExternalData, text: str) -> Status:
        buffers = BufferList(Device())
        buffers.push_back(text)
        return session.send(buffers)

    def process(self, data_ctx: DataContext) -> Code:
        return push(data_ctx, *(data_ctx.external() or ()))


class Ticks(Source):
    """Goes on for ever, an event at a time."""

    def __init__(self, sent: list[str]) -> None:
        super().__init__()
        self._sent = sent

    def process(self, data_ctx: DataContext) -> Code:
        self._sent.append(str(len(self._sent)))
        push(data_ctx, self._sent[-1])
        data_ctx.send_event(FlowUnitEvent())
        return CONTINUE


class Sink:
    """Notes what arrives; `entered` is set with the first, and nothing goes on before `go_on`."""

    def __init__(self, returned: Code = Code.STATUS_SUCCESS) -> None:
        self.got: list[str] = []
        self.entered = threading.Event()
        self.go_on = threading.Event()
        self._returned = returned

    def process(self, context: DataContext) -> Code:
        self.entered.set()
        assert self.go_on.wait(10)
        self.got += texts(context)
        return self._returned

    def data_post(self, context: DataContext) -> Status:
        self.got.append("end")
        return Status()

    def unit(self) -> Unit:
        return unit("sink", self.process, outputs=(), data_post=self.data_post)


def source(made: FlowUnit, **more: Any) -> Unit:
    described, _ = unit("source", lambda context: Code.STATUS_SUCCESS, inputs=(), **more)
    return described, lambda: made


def released_while_stopping(sink: Sink) -> None:
    threading.Timer(0.1, sink.go_on.set).start()


def test_what_a_source_sent_is_worked_off_and_its_streams_end() -> None:
    made, sink = Source(), Sink()
    with running(SOURCE_TO_SINK, source(made), sink.unit()) as flow:
        assert sink.entered.wait(10)
        for text in ("second", "third"):
            assert made.send(made.sessions[0], text)
        released_while_stopping(sink)
        flow.stop()
    assert sink.got == ["first", "second", "third", "end"]


def test_sends_are_refused_from_the_stop_on() -> None:
    made, sink = Source(), Sink()
    with running(SOURCE_TO_SINK, source(made), sink.unit()) as flow:
        assert sink.entered.wait(10)
        stopping = threading.Thread(target=flow.stop)
        stopping.start()
        while made.send(made.sessions[0], "more"):
            pass
        assert made.begin("of a new session") == Code.STATUS_STOP
        sink.go_on.set()
        stopping.join()
    assert sink.got[0] == "first"
    assert sink.got[-1] == "end"
    assert "of a new session" not in sink.got


def test_a_source_that_goes_on_by_events_gets_no_more() -> None:
    sent: list[str] = []
    sink = Sink()
    sink.go_on.set()
    with running(SOURCE_TO_SINK, source(Ticks(sent)), sink.unit()) as flow:
        assert sink.entered.wait(10)
        flow.stop()
    assert sink.got == [*sent, "end"]


def test_a_unit_that_keeps_its_stream_open_gets_its_end_all_the_same() -> None:
    """It waits for an event that nobody sends. In ModelBox nothing ever ends it."""
    sink = Sink(CONTINUE)
    sink.go_on.set()
    dot = "s[flowunit=source]; k[flowunit=sink]; s:out_1 -> k:in_1"
    with running(dot, source(Source()), sink.unit()) as flow:
        assert sink.entered.wait(10)
        assert flow._thread is not None
        flow._thread._call(flow._thread._flow.stop(5))
        assert flow._thread._flow.sessions == 0
    assert sink.got == ["first", "end"]


def test_after_the_grace_period_what_is_left_is_dropped() -> None:
    made, sink = Source(), Sink()
    with running(SOURCE_TO_SINK, source(made), sink.unit()) as flow:
        assert sink.entered.wait(10)
        assert made.send(made.sessions[0], "second")
        assert flow._thread is not None
        flow._thread._call(flow._thread._flow.stop(0.1))
        assert flow._thread._flow.sessions == 1
        sink.go_on.set()
    assert "end" not in sink.got
