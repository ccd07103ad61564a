"""Worker threads and what they have to do.

One lock guards all queues of a flow. Workers hold it to pick a job, to hand its results on and to pick the
next one, so that a chain of nodes needs no thread switch. Other threads (the event loop, units' own) never
wait for it: they leave an action in the inbox.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from server.flow.log_lines import SPEAKER

IDLE_SECONDS = 10.0
"""A worker beyond the first that found nothing to do for so long ends."""

OVERDUE_SECONDS = 0.005
"""After so long, at most twice, somebody is made free although the call was expected to be fast."""

log = logging.getLogger("server.flow")


class Named(Protocol):
    name: str
    is_fast: bool
    """Its unit's last calls took no longer than a thread switch does."""


class Call(Protocol):
    """One call into a unit. `run` is made without the lock and never raises; `finish` with it."""

    quick: bool

    @property
    def node(self) -> "Named": ...

    def run(self) -> None: ...
    def finish(self) -> None: ...


class Port(Protocol):
    """A queue that a job may have to wait for; `node` is whose it is."""

    @property
    def node(self) -> object: ...


class Job(Protocol):
    @property
    def node(self) -> object: ...

    forced: bool
    """True: go on although the queues behind are full. Set to undo a standstill."""

    def take(self) -> Call | None:
        """The next call, or None when there is nothing to do now. Called with the lock held."""


@dataclass(frozen=True, slots=True)
class RunningCall:
    """`thread` is its identifier (`threading.get_ident`)."""

    node_name: str
    thread: int


class _Worker:
    """`call` is the one that it is in. `is_away`: it counts as busy, as others must be free meanwhile."""

    __slots__ = ("call", "is_away", "thread", "wake")

    def __init__(self) -> None:
        self.wake = threading.Lock()
        self.wake.acquire()
        self.call: Call | None = None
        self.is_away = False
        self.thread = 0

    def speaker(self) -> str:
        call = self.call
        return "" if call is None else call.node.name


class Scheduler:
    def __init__(self, name: str, max_threads: int) -> None:
        self.lock = threading.Lock()
        self.parked: dict[Job, Port] = {}
        self._name = name
        self._max_threads = max_threads
        self._ready: deque[Job] = deque()
        self._inbox: deque[Callable[[], None]] = deque()
        self._idle: list[_Worker] = []
        self.on_wake: Callable[[], None] | None = None
        """Called by each worker that is woken up to work, under the lock."""
        self._workers: set[_Worker] = set()
        self._threads = 0
        self._free = 0
        self._running = 0
        self._stopping = False
        self._watch: threading.Thread | None = None
        self._watch_rests = False
        self._watch_wake = threading.Lock()
        self._watch_wake.acquire()
        self._fast_calls = 0
        self._on_crash: Callable[[BaseException], None] | None = None

    def start(self, on_crash: Callable[[BaseException], None]) -> None:
        """`on_crash` gets what the scheduler itself, not a unit, raised; it is called with the lock held."""
        self._on_crash = on_crash
        with self.lock:
            self._spawn()

    @property
    def running(self) -> int:
        """How many calls into units are under way."""
        return self._running

    def calls(self) -> list[RunningCall]:
        """The calls that are under way, as of a moment ago. From any thread."""
        found = []
        for worker in self._workers.copy():
            call = worker.call
            if call is not None:
                found.append(RunningCall(call.node.name, worker.thread))
        return found

    def stop(self) -> None:
        """Lets idle workers end, and busy ones after their current call."""
        self._stopping = True
        with self.lock:
            self._ready.clear()
            self._inbox.clear()
            self.parked.clear()
            idle, self._idle = self._idle, []
            self._wake_watch()
        for worker in idle:
            worker.wake.release()

    def post(self, action: Callable[[], None]) -> None:
        """Has a worker call `action` with the lock held. From any thread; never waits."""
        if self._stopping:
            return
        self._inbox.append(action)
        if self._free == 0:
            self._wake_one()

    def ready(self, job: Job) -> None:
        """Queues `job`. With the lock held."""
        self._ready.append(job)

    def park(self, job: Job, port: Port) -> None:
        self.parked[job] = port

    def unpark(self, job: Job) -> None:
        if self.parked.pop(job, None) is not None:
            self._ready.append(job)

    def _wake_one(self) -> None:
        # pop is atomic; a worker that is about to wait looks at the inbox after it entered itself here
        try:
            worker = self._idle.pop()
        except IndexError:
            return
        worker.wake.release()

    def _spawn(self) -> None:
        self._threads += 1
        self._free += 1
        worker = threading.Thread(
            target=self._work, args=(_Worker(),), name=f"{self._name}-{self._threads}", daemon=True
        )
        worker.start()

    def _have_helper(self) -> None:
        """Sees to it that somebody is free while this worker is in a call that may take long."""
        if self._free > 0:
            return
        if not self._idle:
            if self._threads < self._max_threads:
                self._spawn()
            return
        if self._ready or self._inbox:
            self._wake_one()

    def _work(self, me: _Worker) -> None:
        me.thread = threading.get_ident()
        SPEAKER.set(me.speaker)
        self.lock.acquire()
        self._workers.add(me)
        try:
            while not self._stopping:
                try:
                    if not self._step(me) and not self._rest(me):
                        break
                except BaseException as error:
                    log.exception("the scheduler failed; the flow ends")
                    if self._on_crash is not None:
                        self._on_crash(error)
        finally:
            self._workers.discard(me)
            self._free -= 1
            self._threads -= 1
            self.lock.release()

    def _step(self, me: _Worker) -> bool:
        """Does one thing. Returns whether there was one."""
        while self._inbox:
            self._inbox.popleft()()
        if not self._ready:
            return self._running == 0 and self._undo_standstill()
        call = self._ready.popleft().take()
        if call is not None:
            self._call(me, call)
        return True

    def _call(self, me: _Worker, call: Call) -> None:
        self._running += 1
        me.call = call
        if not call.quick:
            if call.node.is_fast:
                self._watch_call()
            else:
                self._go_away(me)
        self.lock.release()
        try:
            call.run()
        finally:
            self.lock.acquire()
            if me.is_away:
                me.is_away = False
                self._free += 1
            self._running -= 1
        me.call = None
        if not self._stopping:
            call.finish()

    def _go_away(self, me: _Worker) -> None:
        me.is_away = True
        self._free -= 1
        self._have_helper()

    def _watch_call(self) -> None:
        """This worker is going into a call that is expected to be fast: nobody has to be free for that long, but
        somebody sees to it that it was true."""
        self._fast_calls += 1
        if self._watch is None:
            self._watch = threading.Thread(target=self._look_after, name=f"{self._name}-watch", daemon=True)
            self._watch.start()
        elif self._watch_rests:
            self._wake_watch()

    def _wake_watch(self) -> None:
        if self._watch_rests:
            self._watch_rests = False
            self._watch_wake.release()

    def _look_after(self) -> None:
        """Sees to a helper for each fast call that is still the same at the second look. Rests while nothing
        happens: a thousand quiet flows must cost nothing."""
        seen: dict[_Worker, Call] = {}
        count = -1
        while not self._stopping:
            time.sleep(OVERDUE_SECONDS)
            with self.lock:
                now = {worker: worker.call for worker in self._workers if worker.call and not worker.is_away}
                for worker, call in now.items():
                    if seen.get(worker) is call and not call.quick:
                        self._go_away(worker)
                seen = now
                if now or self._fast_calls != count:
                    count = self._fast_calls
                    continue
                self._watch_rests = not self._stopping
                rests = self._watch_rests
            if rests:
                self._watch_wake.acquire()

    def _undo_standstill(self) -> bool:
        """Nothing runs, and somebody waits for room at a node that waits for something else: a node with
        several edges to it, one of which comes from the one that waits. Queue sizes are not worth a deadlock.

        A node without anything parked, while nothing runs, waits for input. There is one: the last in the graph.
        """
        waiting = {job.node for job in self.parked}
        for job, port in self.parked.items():
            if port.node not in waiting:
                job.forced = True
                self.unpark(job)
                return True
        return False

    def _rest(self, me: _Worker) -> bool:
        """Waits for work. Returns False when this worker is one too many."""
        self._free -= 1
        self._idle.append(me)
        if self._inbox:
            self._leave_idle(me)
            self._free += 1
            self._tell_awake()
            return True
        self.lock.release()
        # the first worker waits without a timeout: a thousand quiet flows must not wake up every few seconds
        woken = me.wake.acquire(timeout=IDLE_SECONDS if self._threads > 1 else -1)
        self.lock.acquire()
        self._free += 1
        self._tell_awake()
        return woken or not self._leave_idle(me) or self._threads == 1

    def _tell_awake(self) -> None:
        if self.on_wake is not None:
            self.on_wake()

    def _leave_idle(self, me: _Worker) -> bool:
        """Returns False when somebody has just woken this worker."""
        try:
            self._idle.remove(me)
        except ValueError:
            me.wake.acquire()
            return False
        return True
