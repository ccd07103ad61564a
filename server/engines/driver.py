"""The one interface between the runner and whatever hosts engine processes.

    EngineProblem
    ├── EngineRefused      the driver answered, and will not
    ├── EngineFenced       a newer runner owns the engine
    └── EngineHostGone     nobody answered in time

Whatever a driver does is known to the runner only; the event log stays the only truth. All methods are coroutines
of one event loop; none blocks the loop, and each ends within a bounded time.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from server.engines.protocol import Counted, Ended, EngineSpec, Failed, Hello, Ready, Refusal, Stalled
from server.jobs.events import EngineIdentity

__all__ = [
    "EngineDriver",
    "EngineHandle",
    "EngineNews",
    "EngineSpec",
    "Ended",
    "Exited",
    "Failed",
    "Hello",
    "Ready",
    "Refusal",
    "EngineProblem",
    "EngineFenced",
    "EngineHostGone",
    "EngineRefused",
]


class EngineProblem(Exception):
    """The driver could not do it."""


class EngineRefused(EngineProblem):
    """The driver answered, and will not."""

    def __init__(self, reason: str, kind: Refusal = Refusal.IMPOSSIBLE) -> None:
        super().__init__(reason)
        self.kind = kind


class EngineFenced(EngineProblem):
    """A newer runner owns the engine."""


class EngineHostGone(EngineProblem):
    """Nobody answered in time."""


class Exited(msgspec.Struct, frozen=True, kw_only=True):
    """The process is gone. Both `exit_code` and `signal` are None when nobody was there to see; 0 is the code of
    an engine that said what became of its flow. `out_of_memory`: most likely for want of memory. `reason`: in
    words, where more is known than the numbers; else ""."""

    exit_code: int | None
    signal: int | None
    out_of_memory: bool = False
    reason: str = ""


EngineNews = Ready | Stalled | Failed | Ended | Exited


class EngineHandle(Protocol):
    """One engine process, alive or just ended."""

    @property
    def identity(self) -> EngineIdentity: ...

    @property
    def hello(self) -> Hello:
        """What was known of it when the handle was made."""

    async def news(self) -> EngineNews:
        """Waits for the next news: Ready at most once (also when it was ready before an adoption), then at most
        one of Failed and Ended, then Exited, exactly once and last. Not to be called again after that. Stalled
        comes between Ready and the end: first how it is when the handle is made, then when that changes."""

    async def stop(self, grace: float) -> None:
        """Ends the engine and all that it started, kindly for `grace` seconds, then by force. Returns when it is
        gone, after grace + 9 seconds at the latest. Idempotent. What became of it comes as news.

        Raises: EngineFenced.
        """

    async def give_way(self) -> None:
        """Its successor is about to take over: the engine accepts nothing more, ends its sources, and hands over
        connections on which nothing is under way. To be followed by `stop`. Idempotent; bounded; an engine that
        does not answer is left as it is. Raises: EngineFenced."""

    async def promote(self) -> bool:
        """A successor becomes its job's engine: it accepts, and its sources start; False when it does not answer.
        Idempotent; bounded. Raises: EngineFenced."""

    async def kill(self) -> None:
        """Ends the engine and all that it started, at once. Idempotent. Raises: EngineFenced."""

    async def ping(self, timeout: float) -> bool:
        """Whether the engine answers within `timeout` seconds."""

    async def counters(self, timeout: float) -> Counted | None:
        """What the flow has counted so far; None when the engine does not answer within `timeout` seconds."""

    async def forget(self) -> None:
        """Called when Exited is on record: until then a new leader can still `adopt` the end. Idempotent."""

    async def close(self) -> None:
        """Lets go of the handle; the engine is left alone. Idempotent."""


def injected() -> EngineHostGone:
    """What a failpoint has a question to the engine host fail with."""
    return EngineHostGone("injected failure")


class EngineDriver(Protocol):
    async def prepare(self) -> None:
        """Has everything ready that `start` would have to wait for, and engines in the middle of their start need.
        Idempotent. Called by a leader that has adopted what there was, and every second from then on.

        Raises: EngineHostGone.
        """

    async def start(self, spec: EngineSpec) -> EngineHandle:
        """Starts the engine of one attempt, when the job has no engine, or, for a successor, when its seat is
        free: it becomes ready beside the job's engine, and serves once it is promoted. Idempotent for the same
        job, incarnation and attempt: an engine that is already there is handed out. Returns as soon as the process
        exists.

        Raises: EngineRefused (another attempt still runs, a newer epoch is known, no process to be had);
        EngineHostGone: it is not known whether the engine exists, `adopt` or the same `start` will tell.
        """

    async def adopt(
        self, job_id: str, epoch: int, known: EngineIdentity | None = None, seat: int = 0
    ) -> EngineHandle | None:
        """Takes over the live engine in that seat of a job, or the end of one that nobody has recorded yet (its
        news say what became of it). None when there is neither. Idempotent. Called by a new leader, for each job,
        before it starts anything; the caller compares `hello.head` with what it wants, and stops what it does not
        want. An engine that does not answer is handed out too (`hello.state` is SILENT). `known` is the engine
        that the log knows: it may be at home in another installation on this machine, whose runner led before. An
        engine that another log asked for (the database was replaced) comes with incarnation 0, which is no job's.

        Raises: EngineFenced, when the engine knows a newer epoch.
        """

    async def engines(self) -> set[tuple[str, int]]:
        """Job and seat of each live engine here, known to the caller or not; no engine is asked. Idempotent."""

    async def list(self) -> Sequence[Hello]:
        """Every live engine here, known to the caller or not, including those that do not answer. Idempotent."""

    async def retain(self, handle: EngineHandle) -> None:
        """Of its job's listening sockets keeps only those that this engine has: it is the job's only one now.
        Nothing is done when it does not answer. Idempotent. Raises: EngineHostGone."""

    async def release(self, job_id: str) -> None:
        """Gives up the job's listening sockets and every trace of its engine. Called when the job's engine is gone
        and none will follow (deleted, succeeded, failed for good): until then connections wait for the next
        engine. Idempotent. Raises: EngineHostGone."""

    async def shutdown(self) -> None:
        """Ends the host. Called after all engines were stopped; engines that still run go on. Idempotent."""

    async def close(self) -> None:
        """Lets go of host and engines, and leaves them alone. Idempotent."""
