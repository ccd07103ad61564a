"""The runner's hold on one local engine."""

import asyncio
import contextlib
import signal as signals
import socket
import time
from asyncio import Queue
from typing import Any, TypeVar

from msgspec.structs import replace

from server.engines.channel import Waiting
from server.engines.conversation import Line, ask, dialled, next_message
from server.engines.driver import EngineFenced, EngineHostGone, EngineNews, Exited
from server.engines.hostlink import HostLink
from server.engines.identity import is_alive, kill_session, signal, wait_for_exit
from server.engines.protocol import (
    Acknowledge,
    ClaimedEndpoint,
    Counted,
    Counters,
    Ended,
    EngineMessage,
    Exit,
    Failed,
    Fenced,
    GiveWay,
    HandOverListeners,
    Hello,
    HowEnded,
    Listening,
    Ping,
    Pong,
    Promote,
    ProtocolError,
    Ready,
    Stalled,
    Stop,
    engine_message,
)
from server.engines.records import forget_end, newest_epoch, read_end
from server.engines.rundir import RunDir
from server.engines.tree import signal_tree
from server.jobs.events import EngineIdentity

_LAST_WORDS_WITHIN = 1.0
"""After the process's end, what it said is still in the socket. Only a copy of the socket in a process that it
forked keeps the end of the stream away."""

_STOP_ANSWER_WITHIN = 1.0
_STOP_MARGIN = 3.0
"""Seconds beyond the grace: the engine itself gives up its flow after two, and what it started half a second
later. Then it is ended by force."""
_TERM_SECONDS = 0.5
"""What an engine that hears nothing, and all that it started, get between SIGTERM and SIGKILL."""

_CHANGE_ANSWER_WITHIN = 2.0
_KILL_WITHIN = 5.0
_RECONNECT_AFTER = 0.2

_UNREACHABLE = (OSError, ProtocolError)

Answer = TypeVar("Answer", Pong, Counted)


class LocalHandle:
    def __init__(self, run_dir: RunDir, link: HostLink, hello: Hello, log: str, epoch: int) -> None:
        self.hello = hello
        self._run_dir = run_dir
        self._link = link
        self._log, self._epoch = log, epoch
        self._socket = run_dir.of_engine(hello.head.job_id, "sock", hello.head.seat)
        self._news: Queue[EngineNews] = Queue()
        self._was_ready = False
        self._has_ended = False
        self._stalls: bool | None = None
        self._line: Line | None = None
        self._asked: dict[type[EngineMessage], asyncio.Future[Any]] = {}
        self._gone = asyncio.create_task(wait_for_exit(self.identity))
        self._follower = asyncio.create_task(self._follow())

    @property
    def identity(self) -> EngineIdentity:
        return self.hello.head.identity

    async def news(self) -> EngineNews:
        return await self._news.get()

    async def _follow(self) -> None:
        listener = asyncio.create_task(self._listen())
        try:
            await asyncio.shield(self._gone)
            await asyncio.wait((listener,), timeout=_LAST_WORDS_WITHIN)
        finally:
            listener.cancel()
        end = read_end(self._run_dir, self.hello.head.job_id, self.hello.head.seat)
        if end is not None and end.head.identity == self.identity:
            self._tell(end.news)
        self._news.put_nowait(await self._how_it_exited())

    async def _listen(self) -> None:
        """Reads news until the engine is gone, whatever becomes of single connections."""
        while True:
            with contextlib.suppress(*_UNREACHABLE):
                await self._listen_once()
            if self._has_ended or not is_alive(self.identity):
                return
            await asyncio.sleep(_RECONNECT_AFTER)

    async def _listen_once(self) -> None:
        async with dialled(self._socket) as line:
            hello = await next_message(line)
            if not isinstance(hello, Hello) or hello.head.identity != self.identity:
                raise ProtocolError("another engine answers")
            self._line = line
            try:
                while True:
                    self._take(await next_message(line))
            finally:
                self._line = None
                for asked in self._asked.values():
                    asked.cancel()
                self._asked.clear()

    def _take(self, message: EngineMessage) -> None:
        if isinstance(message, Ready | Failed | Ended):
            self._tell(message)
        elif isinstance(message, Stalled) and not self._has_ended:
            self._tell_stalls(message)
        elif (asked := self._asked.pop(type(message), None)) is not None:
            asked.set_result(message)

    def _tell(self, news: Ready | Failed | Ended) -> None:
        if self._has_ended or (self._was_ready and isinstance(news, Ready)):
            return
        self._was_ready = self._was_ready or isinstance(news, Ready)
        self._has_ended = not isinstance(news, Ready)
        self._news.put_nowait(news)

    def _tell_stalls(self, news: Stalled) -> None:
        """Every new connection says once more what may be known."""
        if bool(news.stalls) != self._stalls:
            self._stalls = bool(news.stalls)
            self._news.put_nowait(news)

    async def _how_it_exited(self) -> Exited:
        answer = None
        with contextlib.suppress(EngineHostGone):
            asked = HowEnded(job_id=self.hello.head.job_id, seat=self.hello.head.seat)
            answer = await self._link.ask(asked, start_host=False)
        if isinstance(answer, Exit) and answer.head.identity == self.identity:
            return Exited(
                exit_code=answer.exit_code,
                signal=answer.signal,
                out_of_memory=answer.out_of_memory,
                reason=answer.reason,
            )
        # no child of this host, which therefore did not clean up after it
        await asyncio.to_thread(kill_session, self.identity)
        return Exited(exit_code=None, signal=None)

    async def stop(self, grace: float) -> None:
        if await self._gone_within(0):
            return
        begun = asyncio.get_running_loop().time()
        try:
            _, answer = await ask(
                self._socket, Stop(grace=grace, epoch=self._epoch, log=self._log), _STOP_ANSWER_WITHIN
            )
        except _UNREACHABLE:
            # too busy for its socket, it may still take a signal
            self._check_epoch()
            signal(self.identity, signals.SIGTERM)
        else:
            if isinstance(answer, Fenced):
                raise EngineFenced(f"a runner of epoch {answer.epoch} owns job {self.hello.head.job_id}")
        if await self._gone_within(begun + grace + _STOP_MARGIN - asyncio.get_running_loop().time()):
            return
        self._check_epoch()
        await asyncio.to_thread(signal_tree, self.identity, signals.SIGTERM)
        if not await self._gone_within(_TERM_SECONDS):
            await self.kill()

    async def give_way(self) -> None:
        await self._tell_of_change(GiveWay(epoch=self._epoch, log=self._log))

    async def promote(self) -> bool:
        return await self._tell_of_change(Promote(epoch=self._epoch, log=self._log))

    async def _tell_of_change(self, request: GiveWay | Promote) -> bool:
        """Whether it heard: one that does not is dealt with by those who ping it, or stop it."""
        try:
            hello, answer = await ask(self._socket, request, _CHANGE_ANSWER_WITHIN)
        except _UNREACHABLE:
            return False
        if hello.head.identity != self.identity:
            return False
        if isinstance(answer, Fenced):
            raise EngineFenced(f"a runner of epoch {answer.epoch} owns job {self.hello.head.job_id}")
        return True

    async def held(self) -> tuple[ClaimedEndpoint, ...] | None:
        """What it listens on, with the ports that are really bound; None when it does not answer."""
        return await asyncio.to_thread(self._ask_for_listeners)

    def _ask_for_listeners(self) -> tuple[ClaimedEndpoint, ...] | None:
        try:
            with Waiting(self._socket, time.monotonic() + _CHANGE_ANSWER_WITHIN) as engine:
                engine.send(HandOverListeners())
                while not isinstance(answer := engine.receive(engine_message), Listening):
                    pass
                sockets = [socket.socket(fileno=descriptor) for descriptor in engine.take_descriptors()]
        except _UNREACHABLE:
            return None
        bound = [_bound(endpoint, sock) for endpoint, sock in zip(answer.endpoints, sockets, strict=True)]
        return tuple(bound)

    async def kill(self) -> None:
        self._check_epoch()
        await asyncio.to_thread(signal_tree, self.identity, signals.SIGKILL)
        await self._gone_within(_KILL_WITHIN)

    def _check_epoch(self) -> None:
        """An engine that does not answer cannot say that a newer leader has taken over. Raises: EngineFenced."""
        newest = newest_epoch(self._run_dir, self._log)
        if newest > self._epoch:
            raise EngineFenced(f"a runner of epoch {newest} is at work here")

    async def _gone_within(self, timeout: float) -> bool:
        done, _ = await asyncio.wait((self._gone,), timeout=timeout)
        return bool(done)

    async def ping(self, timeout: float) -> bool:
        if self._line is not None:
            return await self._asked_on_line(Ping(), Pong, timeout) is not None
        try:
            hello, answer = await ask(self._socket, Ping(), timeout)
        except _UNREACHABLE:
            return False
        return isinstance(answer, Pong) and hello.head.identity == self.identity

    async def counters(self, timeout: float) -> Counted | None:
        return await self._asked_on_line(Counters(), Counted, timeout)

    async def _asked_on_line(self, request: Ping | Counters, kind: type[Answer], timeout: float) -> Answer | None:
        """On the connection that brings the news: a new one would cost more than the answer. None, when there is
        no answer in time."""
        line = self._line
        if line is None:
            return None
        try:
            async with asyncio.timeout(timeout):
                asked = self._asked.get(kind)
                if asked is None:  # an engine that hangs is asked once, and not again until it has answered
                    asked = self._asked[kind] = asyncio.get_running_loop().create_future()
                    await line.send(request)
                await asyncio.wait((asked,))
        except _UNREACHABLE:
            return None
        return None if asked.cancelled() else asked.result()

    async def forget(self) -> None:
        job_id, seat = self.hello.head.job_id, self.hello.head.seat
        with contextlib.suppress(EngineHostGone):
            await self._link.ask(Acknowledge(job_id=job_id, pid=self.identity.pid, seat=seat), start_host=False)
        end = read_end(self._run_dir, job_id, seat)
        if end is not None and end.head.identity == self.identity:
            forget_end(self._run_dir, job_id, seat)

    @property
    def is_finished(self) -> bool:
        """Nothing will happen to it any more."""
        return self._follower.done()

    async def close(self) -> None:
        for task in (self._follower, self._gone):
            task.cancel()
        await asyncio.wait((self._follower, self._gone))


def _bound(endpoint: ClaimedEndpoint, listener: socket.socket) -> ClaimedEndpoint:
    """Of a socket that is closed then: it was a copy."""
    with listener:
        return replace(endpoint, port=listener.getsockname()[1])
