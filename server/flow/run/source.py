"""Nodes without inputs: sessions begin here (spec 4.3, 4.12)."""

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from server.flow.description import FlowType
from server.flow.run.room import Room
from server.flow.run.sizes import external_capacity
from server.flow.run.stream import Stream, StreamCall, StreamKeeper
from server.flow.run.streams import Position, Scope, Session, TokenKind, token_at
from server.flow.unitapi import Buffer, FlowUnitEvent, SessionContext, Status, UnitStatusCode


class Feed(Stream):
    """The input of one session. `send` and `close` may be called from any thread."""

    node: "SourceNode"

    def __init__(self, node: "SourceNode", session: Session) -> None:
        super().__init__(node, Scope(session))
        self.session_context = session.context
        self._queue: deque[Buffer] = deque()
        self._closed = False
        self._close_posted = False

    def start(self, buffers: list[Buffer], closed: bool) -> None:
        """Enters the node. With the lock held."""
        self.node.enter(self)
        self._closed = closed or self.node.drains
        self._append(buffers)

    def send(self, buffers: list[Buffer]) -> Status:
        if self._close_posted or self.scope.session.shut:
            return Status(UnitStatusCode.STATUS_STOP, "the external data is closed")
        if not self.node.room.wait_and_take(len(buffers)):
            return Status(UnitStatusCode.STATUS_STOP, "the flow has been stopped")
        self.node.scheduler.post(partial(self._append, buffers))
        return Status()

    def close(self) -> None:
        if not self._close_posted:
            self._close_posted = True
            self.node.scheduler.post(self._close)

    def post_event(self, event: FlowUnitEvent) -> None:
        if self.node.description.flow_type is FlowType.STREAM and not self.node.drains:
            super().post_event(event)

    def drain(self) -> None:
        """What was sent is worked off, and nothing comes after it. With the lock held."""
        self._closed = True
        self.events.clear()
        self.schedule()

    def _take_event(self) -> StreamCall | None:
        call = super()._take_event()
        if call is not None:
            # a source always has an external list: units go over it without asking (spec 5.9)
            call.external = []
        return call

    def take(self) -> StreamCall | None:
        self.is_ready = False
        if self.busy or self.is_over or not self.node.started or self.node.park(self):
            return None
        if (call := self._take_event()) is not None:
            return call
        if self._queue:
            buffers = list(self._queue)
            self._queue.clear()
            self.node.room.give_back(len(buffers))
            if not self.refused:
                return self._call([], None, buffers)
        if not self._closed and not self.scope.session.shut:
            return None
        if self.continues and not self.scope.session.shut and not self.node.drains:
            self.scope.session.waiting.add(self)
            return None
        if self.opened and self.node.has("data_post"):
            return self._call([], None, None)
        self.has_ended()
        return None

    def go_on(self) -> None:
        self.schedule()

    def has_ended(self) -> None:
        session = self.scope.session
        for number, out in enumerate(self.node.outputs):
            place = Position(self.scope, self.lengths[number], None)
            out.emit(token_at(TokenKind.END, place, self.out_meta(number, self.meta)))
        self.node.forget(self)
        session.release()

    def _append(self, buffers: list[Buffer]) -> None:
        if self.node.knows(self):
            self._queue.extend(buffers)
            self.schedule()

    def _close(self) -> None:
        self._closed = True
        if self.node.knows(self):
            self.schedule()


class UnitSource:
    """What a unit's ExternalData holds: a feed that was entered already."""

    def __init__(self, feed: Feed) -> None:
        self.context: SessionContext = feed.session_context
        self.send = feed.send
        self.close = feed.close


class SourceNode(StreamKeeper):
    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.fed = 0
        """How many sessions have begun here."""
        self.started = False
        self.drains = False
        self._live: set[Session] = set()
        self.room = Room(external_capacity(self.plan))

    def prepare(self) -> None:
        super().prepare()
        if self.description.flow_type is FlowType.NORMAL:
            self._overrides = {"data_pre": False, "data_post": False}

    @property
    def is_through(self) -> bool:
        return self.fed > 0 and not self._live

    def begin(self, context: SessionContext, on_end: Callable[[Session], None] | None) -> Feed:
        """A new session's input, not entered yet. From any thread."""

        def ended(session: Session) -> None:
            self._live.discard(session)
            if on_end is not None:
                on_end(session)

        return Feed(self, Session(context, ended))

    def submit(self, context: SessionContext, buffer: Buffer, on_end: Callable[[Session], None]) -> Session:
        """A session of one buffer. From any thread, and without waiting for room: for callers that bound what
        is in flight themselves."""
        feed = self.begin(context, on_end)
        feed._close_posted = True
        self.scheduler.post(partial(feed.start, [buffer], True))
        return feed.scope.session

    def open_source(self) -> UnitSource:
        feed = self.begin(SessionContext(), None)
        self.scheduler.post(partial(feed.start, [], False))
        return UnitSource(feed)

    def enter(self, feed: Feed) -> None:
        self.fed += 1
        self._live.add(feed.scope.session)
        self._streams[feed.scope] = feed

    @property
    def sessions(self) -> int:
        """How many of them are not through yet."""
        return len(self._live)

    @property
    def is_drained(self) -> bool:
        return self.drains and not self._live

    def start(self) -> None:
        self.started = True
        for feed in self._streams.values():
            feed.schedule()

    def drain(self) -> None:
        """Nothing new is taken from the unit; what it sent before goes on its way. From any thread."""
        self.room.stop()
        self.scheduler.post(self._drain)

    def shut_down(self) -> None:
        """What still waits for an event gets none any more, and ends. From any thread."""
        self.scheduler.post(self._shut_down)

    def _drain(self) -> None:
        self.drains = True
        for feed in tuple(self._streams.values()):
            assert isinstance(feed, Feed)
            feed.drain()

    def _shut_down(self) -> None:
        for session in tuple(self._live):
            session.shutdown()
