"""The node that stands for all `type=input` nodes of a graph (spec 2.5, 4.12): a program's sessions begin here."""

from collections import deque
from functools import partial
from typing import Any

from server.flow.run.node import Node
from server.flow.run.outlet import Outlet
from server.flow.run.room import Room
from server.flow.run.sizes import external_capacity
from server.flow.run.streams import Position, Scope, Session
from server.flow.unitapi import Buffer, DataMeta, SessionContext

CHUNK = 32
"""Positions that are handed on before room behind is looked at again."""
CLOSED = "EOF"
"""The error of a session that was shut down (spec 4.12)."""


class InputFeed:
    """One session's input over all ports, which are matched by position. `send`, `close` and `shutdown` may be
    called from any thread."""

    forced = False

    def __init__(self, node: "InputNode", session: Session, outlet: Outlet) -> None:
        self.node = node
        self.outlet = outlet
        self.session_context = session.context
        self.ports = {out.name: number for number, out in enumerate(node.outputs)}
        self._scope = Scope(session)
        self._queues: list[deque[Buffer]] = [deque() for _ in node.outputs]
        self._sent = [0] * len(node.outputs)
        self._metas: list[DataMeta | None] = [None] * len(node.outputs)
        self._length = 0
        self._is_ready = False
        self._is_closed = False
        self._is_over = False
        self._close_posted = False
        session.pending += 1

    @property
    def is_closed(self) -> bool:
        return self._close_posted

    def set_meta(self, port: str, meta: DataMeta) -> None:
        """The stream's meta; it counts for what is sent later."""
        self._metas[self.ports[port]] = meta

    def send(self, port: str, buffers: list[Buffer]) -> bool:
        """Returns False when the input is closed, or the flow has been stopped. Waits while the external queue
        is full; what still waits for other inputs does not fill it."""
        number = self.ports[port]
        before = min(self._sent)
        if self._close_posted:
            return False
        self._sent[number] += len(buffers)
        if not self.node.room.wait_and_take(min(self._sent) - before):
            return False
        self.node.scheduler.post(partial(self._append, number, buffers))
        return True

    def close(self) -> None:
        if not self._close_posted:
            self._close_posted = True
            self.node.scheduler.post(self._close)

    def shutdown(self) -> None:
        self._close_posted = True
        self.node.scheduler.post(self._shut)

    def enter(self) -> None:
        self.node.add_feed(self)

    def take(self) -> None:
        """Hands on what is complete. There is no unit to call."""
        self._is_ready = False
        if self._is_over or not self.node.started or self.node.park(self):
            return
        count = min(CHUNK, min(len(queue) for queue in self._queues))
        for _ in range(count):
            for number, out in enumerate(self.node.outputs):
                place = Position(self._scope, self._length, None)
                self.node.emit_data(out, place, self._queues[number].popleft(), self._metas[number])
            self._length += 1
        if count:
            self.node.note_call(0.0)
            self.node.room.give_back(count)
            self.schedule()
        elif self._is_closed or self._scope.session.shut:
            self._end()

    def schedule(self) -> None:
        if not self._is_ready and not self._is_over:
            self._is_ready = True
            self.node.scheduler.ready(self)

    def _append(self, number: int, buffers: list[Buffer]) -> None:
        self._queues[number].extend(buffers)
        self.schedule()

    def _close(self) -> None:
        self._is_closed = True
        self.schedule()

    def _shut(self) -> None:
        session = self._scope.session
        session.error = session.error or ("", CLOSED)
        session.shutdown()
        self.schedule()

    def _end(self) -> None:
        self._is_over = True
        session = self._scope.session
        if any(self._queues):
            longer = [out.name for out, queue in zip(self.node.outputs, self._queues, strict=True) if queue]
            words = f"the inputs {', '.join(longer)} got more buffers than the others, the rest is dropped"
            session.error = session.error or ("", words)
        for number, out in enumerate(self.node.outputs):
            self.node.emit_end(out, Position(self._scope, self._length, None), self._metas[number])
        self.node.drop_feed(self)
        session.release()


class InputNode(Node):
    """Each of its output ports is one input node of the graph."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.started = False
        self.room = Room(external_capacity(self.plan))
        self.result_ports: tuple[str, ...] = ()
        """The names of the graph's output nodes."""
        self._feeds: set[InputFeed] = set()
        self._outlets: set[Outlet] = set()
        self._end_words: str | None = None

    def begin(self, context: SessionContext) -> InputFeed:
        """A new session. From any thread."""
        outlet = Outlet(self.result_ports)

        def ended(session: Session) -> None:
            self._outlets.discard(outlet)
            outlet.finish(session.error[1] if session.error else None)

        feed = InputFeed(self, Session(context, ended, outlet), outlet)
        # entered here and not by a worker: a flow that ends now must find it
        self._outlets.add(outlet)
        self.scheduler.post(feed.enter)
        if self._end_words is not None:
            outlet.finish(self._end_words)
        return feed

    def add_feed(self, feed: InputFeed) -> None:
        self._feeds.add(feed)
        feed.schedule()

    def drop_feed(self, feed: InputFeed) -> None:
        self._feeds.discard(feed)

    def start(self) -> None:
        self.started = True
        for feed in self._feeds:
            feed.schedule()

    def stop(self, words: str) -> None:
        """The flow has ended: whoever sends or waits for results is told. From any thread."""
        self._end_words = words
        self.room.stop()
        for outlet in tuple(self._outlets):
            outlet.finish(words)
