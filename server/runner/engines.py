"""The engines that this runner holds, and what it knows of each."""

import msgspec

from server.engines.driver import EngineHandle
from server.jobs.ids import Digest, JobId
from server.runner.change import SecondView
from server.runner.reconcile import EngineView


class Engine(msgspec.Struct, kw_only=True):
    """`stopping` is why we told it to stop, "" while we did not, and `grace` how many seconds it was given for it;
    `stalled` the same for a flow that makes no
    progress. `said_last`: it has told how its flow ended. `exited`: its process is gone. `holds_slot`: it counts
    among those that are starting. `silent_since`: the loop's time at which it began not to answer. `plan` and
    `graph`: those that it was given, None when that is not known. `ready`: a successor is, to take over and to
    serve `endpoints`."""

    job_id: JobId
    incarnation: int
    attempt: int
    handle: EngineHandle
    stopping: str = ""
    grace: float | None = None
    stalled: str = ""
    said_last: bool = False
    exited: bool = False
    holds_slot: bool = False
    silent_since: float | None = None
    plan: str | None = None
    graph: Digest | None = None
    ready: bool = False
    endpoints: tuple[str, ...] = ()

    @property
    def view(self) -> EngineView:
        return EngineView(self.incarnation, self.attempt, self._is_leaving, self.grace)

    @property
    def second_view(self) -> SecondView:
        return SecondView(self.incarnation, self.attempt, self.is_successor, self.ready, self._is_leaving)

    @property
    def is_successor(self) -> bool:
        """Whether it was started as one; it may have taken over since."""
        return self.handle.hello.head.successor

    @property
    def seat(self) -> int:
        return self.handle.hello.head.seat

    @property
    def _is_leaving(self) -> bool:
        return bool(self.stopping) or self.said_last or self.exited
