"""`flow run`: one flow in this process, until it ends or is told to."""

import asyncio
import logging
import os
import signal
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic, strftime
from typing import Any, TypeVar

import uvloop

from server.flow.commands.built import built
from server.flow.commands.graph_file import read_graph_file
from server.flow.commands.screen import Screen, ScreenHandler, prints_above
from server.flow.counters import NodeCounters
from server.flow.flow import Flow, FlowEnd
from server.flow.limits import FlowLimits
from server.flow.listeners import Endpoint
from server.flow.own_listeners import OwnListeners
from server.flow.plan import NodeKind, Plan
from server.flow.pyunits.imports import UnitImports
from server.flow.secrets import ALL_SECRETS
from server.flow.status import FlowError, StatusCode
from server.flow.unitapi.log import Log, LogLevel

SUCCEEDED, FAILED, NOT_BUILT, INTERRUPTED = 0, 1, 2, 130

_REDRAW_SECONDS = 0.5

Result = TypeVar("Result")


def run(path: Path, args: Mapping[str, str], *, grace: float, report_seconds: float, log_level: str) -> int:
    """Runs the graph at `path`. `args` are values for its `[args]`. `grace` is how long what is in flight may take
    after the first SIGINT or SIGTERM; a second one ends the process at once. In a pipe, counters are written every
    `report_seconds` (0 = only at the end).

    Returns: 0 when the flow succeeded or was drained, 1 when it failed or was cut off, 2 when it could not be
    built, 130 when it was ended at once, or before it was open.
    """
    screen = Screen()
    try:
        file = read_graph_file(path)
    except FlowError as error:
        screen.line(f"{path}: {error}")
        return NOT_BUILT
    _log_to(screen, log_level)
    plan = built(file, args, screen.line)
    if plan is None:
        return NOT_BUILT
    units_log = _unit_log_to(screen, log_level)
    with prints_above(screen), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        code = runner.run(_Run(path, plan, screen, grace, report_seconds).run())
    # until here the log must not be dropped: units would write over the table again
    del units_log
    return code


def _log_to(screen: Screen, level: str) -> None:
    handler = ScreenHandler(screen)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(level.upper())


def _unit_log_to(screen: Screen, level: str) -> Log:
    """What units log goes above the table, too. `level` is a name of Python's logging."""

    def write(level: LogLevel, file: str, lineno: int, func: str, msg: str) -> None:
        screen.line(f"{strftime('%Y-%m-%d %H:%M:%S')} unit {level.name} {file}:{lineno} {func}: {msg}")

    log: Log = UnitImports.of_process().api["modelbox"].Log()
    log.reg(write)
    log.set_log_level({"warning": LogLevel.WARN}.get(level.lower()) or LogLevel[level.upper()])
    return log


class _Run:
    def __init__(self, path: Path, plan: Plan, screen: Screen, grace: float, report_seconds: float) -> None:
        self._path = path
        self._plan = plan
        self._screen = screen
        self._grace = grace
        self._report_seconds = report_seconds
        self._stop_wanted = asyncio.Event()
        self._is_open = False
        self._began = monotonic()

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(signum, self._signalled)
        flow = Flow(self._plan, OwnListeners(), FlowLimits(secrets=ALL_SECRETS))
        try:
            is_open = await self._unless_told(self._open(flow))
        except FlowError as error:
            self._screen.line(f"{self._path}: {error}")
            return NOT_BUILT
        if not is_open:
            self._screen.line("ended before all its units were open")
            return INTERRUPTED
        self._screen.line(f"running {self._plan.name or self._path}{_serving(flow)}; Ctrl-C ends it")
        if any(node.kind is NodeKind.INPUT for node in self._plan.nodes):
            self._screen.line("nothing comes in by its input nodes: only a program (modelbox.Flow) can send there")
        reporter = asyncio.create_task(self._report(flow))
        try:
            end = await self._unless_told(flow.ended())
        finally:
            await flow.stop(self._grace if self._stop_wanted.is_set() else 0)
            reporter.cancel()
            with suppress(asyncio.CancelledError):
                await reporter
        self._last_words(flow, end)
        if end is None:
            return FAILED if flow.sessions else SUCCEEDED
        return SUCCEEDED if end.code is StatusCode.SUCCESS else FAILED

    def _signalled(self) -> None:
        if self._stop_wanted.is_set():
            self._screen.line("ended at once")
            # units may be in calls that never return, and nothing that is left to do could be relied on
            os._exit(INTERRUPTED)
        self._stop_wanted.set()
        if not self._is_open:
            return
        words = f"what is in flight finishes, within {self._grace:g} s; once more ends it at once"
        self._screen.line(f"nothing new is taken; {words}")

    async def _open(self, flow: Flow) -> bool:
        await flow.open()
        self._is_open = True
        return True

    async def _unless_told(self, work: Coroutine[Any, Any, Result]) -> Result | None:
        """What comes of `work`; None when the flow was told to stop before."""
        working = asyncio.create_task(work)
        told = asyncio.create_task(self._stop_wanted.wait())
        await asyncio.wait([working, told], return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        if working.done():
            return working.result()
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working
        return None

    async def _report(self, flow: Flow) -> None:
        if self._screen.is_terminal:
            while True:
                self._screen.table(table_of(flow.counters()))
                await asyncio.sleep(_REDRAW_SECONDS)
        while self._report_seconds > 0:
            await asyncio.sleep(self._report_seconds)
            self._write_counters(flow)

    def _write_counters(self, flow: Flow) -> None:
        for line in table_of(flow.counters()):
            self._screen.line(line)

    def _last_words(self, flow: Flow, end: FlowEnd | None) -> None:
        self._screen.table(())
        self._write_counters(flow)
        seconds = monotonic() - self._began
        if end is None and flow.sessions:
            words = f"{flow.sessions} sessions were not through when the {self._grace:g} s to drain were over"
            self._screen.line(f"cut off after {seconds:.1f} s: {words}")
        elif end is None:
            self._screen.line(f"drained after {seconds:.1f} s")
        elif end.code is StatusCode.SUCCESS:
            self._screen.line(f"succeeded after {seconds:.1f} s")
        else:
            self._screen.line(f"failed after {seconds:.1f} s: {FlowError(end.code, *_messages(end))}")


def _messages(end: FlowEnd) -> tuple[str, ...]:
    return (end.message,) if end.message else ()


def _serving(flow: Flow) -> str:
    urls = ", ".join(_url(each) for each in flow.endpoints)
    return f" on {urls}" if urls else ""


def _url(endpoint: Endpoint) -> str:
    scheme = "https" if endpoint.tls else "http"
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    return f"{scheme}://{host}:{endpoint.port}{endpoint.path}"


def table_of(counters: Sequence[NodeCounters]) -> list[str]:
    """A row a node: buffers in and out (of the port with most), what waits, calls, seconds in them, errors."""
    rows = [("node", "in", "out", "queued", "calls", "seconds", "errors")]
    for node in counters:
        row = (
            node.node,
            str(max((port.buffers for port in node.inputs), default=0)),
            str(max((port.buffers for port in node.outputs), default=0)),
            str(sum(port.queued or 0 for port in node.inputs)),
            str(node.calls),
            f"{node.seconds:.3f}",
            str(node.errors),
        )
        rows.append(row)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows]
