"""One profile: from a flow's settings to its files, on a thread of its own (spec 9)."""

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from time import monotonic

import msgspec

from server.flow.plan import Plan
from server.flow.profile.files import ProfileFolder
from server.flow.profile.performance import Performance
from server.flow.profile.settings import ProfileSettings, profile_settings
from server.flow.profile.slices import Slices
from server.flow.profile.trace import TraceWriter
from server.flow.profile.units import attach
from server.flow.run.node import Node

STOP_SECONDS = 1.0
"""How long the end of a flow waits for its last files."""

log = logging.getLogger("server.flow")


class ProfilePace(msgspec.Struct, frozen=True, kw_only=True):
    """Spec 9: a sample every 100 ms, files every 600 s. The bounds are ours: what is held in memory, in slices;
    the size of a trace, beyond which a new one begins; what is kept on disk of one run; what must be free there
    for a new file; and how long nothing is written after that failed."""

    sample_seconds: float = 0.1
    write_seconds: float = 600.0
    max_waiting: int = 100_000
    max_file_bytes: int = 64 * 1024 * 1024
    keep_bytes: int = 1024 * 1024 * 1024
    spare_bytes: int = 256 * 1024 * 1024
    retry_seconds: float = 60.0


class Profiler:
    """Costs the units' calls two looks at the clock and an append; the rest is done here, at each sample."""

    def __init__(
        self, settings: ProfileSettings, plan: Plan, nodes: Mapping[str, Node], pace: ProfilePace
    ) -> None:
        """`nodes` are built and not opened yet."""
        self._pace = pace
        self._slices = Slices(pace.max_waiting)
        self._folder = ProfileFolder(settings.folder, pace.keep_bytes, pace.spare_bytes)
        self._performance: Performance | None = None
        self._trace: TraceWriter | None = None
        if settings.performance:
            devices = sorted({f"{node.device}:{node.device_id}" for node in plan.nodes})
            self._performance = Performance(plan.name, devices, int(2 * pace.write_seconds / pace.sample_seconds))
        if settings.trace:
            self._trace = TraceWriter(self._folder, pace.max_file_bytes)
        self._is_failing = False
        self._rests_until = 0.0
        self._has_told_loss = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="flow-profile", daemon=True)
        attach(nodes.values(), self._slices, with_sessions=settings.sessions and settings.trace)
        self._thread.start()

    async def stop(self) -> None:
        """Writes what there is. Returns in bounded time, whatever the disk does."""
        self._stop.set()
        deadline = monotonic() + STOP_SECONDS
        # looks rather than listens: it is a matter of milliseconds, once in the life of a flow
        while self._thread.is_alive() and monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.005)

    def _run(self) -> None:
        log.info("the profile of this flow goes to %s", self._folder.path)
        try:
            with suppress(OSError):
                self._folder.finish_orphans()
            next_write = monotonic() + self._pace.write_seconds
            while not self._stop.wait(self._pace.sample_seconds):
                self._look()
                if monotonic() >= next_write:
                    next_write = monotonic() + self._pace.write_seconds
                    self._write_files()
            self._look()
            # the last word is tried even while the disk is being left alone
            self._rests_until = 0.0
            self._write_files()
        except Exception:
            log.exception("the profile ends; the flow goes on")
        finally:
            self._slices.close()

    def _look(self) -> None:
        slices = self._slices.take()
        if self._performance is not None:
            self._performance.note(slices)
            self._performance.sample()
        if self._trace is not None and slices:
            self._guarded(partial(self._trace.write, slices))
        if self._slices.lost and not self._has_told_loss:
            self._has_told_loss = True
            log.warning("units are called faster than the profile is written: some calls are missing in it")

    def _write_files(self) -> None:
        if self._trace is not None and self._trace.is_open:
            self._guarded(self._trace.close)
        if self._performance is not None:
            self._guarded(partial(self._performance.write, self._folder))

    def _guarded(self, work: Callable[[], None]) -> None:
        """A disk that is full and a folder that is gone cost the profile something, and the flow nothing."""
        if monotonic() < self._rests_until:
            return
        try:
            work()
        except OSError as error:
            self._rests_until = monotonic() + self._pace.retry_seconds
            if not self._is_failing:
                self._is_failing = True
                words = "the flow goes on, and the profile too, once this can be written again"
                log.error("the profile in %s cannot be written: %s; %s", self._folder.path, error, words)
        else:
            if self._is_failing:
                self._is_failing = False
                log.info("the profile in %s is being written again", self._folder.path)


def profiler_of(plan: Plan, nodes: Mapping[str, Node], pace: ProfilePace | None = None) -> Profiler | None:
    """None when the graph asks for no profile. Raises: FlowError, when its folder is forbidden."""
    settings = profile_settings(plan.settings)
    return Profiler(settings, plan, nodes, pace or ProfilePace()) if settings is not None else None
