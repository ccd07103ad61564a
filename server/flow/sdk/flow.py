"""`modelbox.Flow`: a flow in a program (spec 1.5, 5.13)."""

import weakref
from collections.abc import Mapping
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as NotYet
from enum import IntEnum
from pathlib import Path
from typing import ClassVar

from server.flow.flow import FlowEnd
from server.flow.graph.compile import check_arguments, check_settings, compile_settings
from server.flow.plan import Plan
from server.flow.run.inputs import InputFeed
from server.flow.sdk.by_name import DEFAULT_FOLDER, read_settings, settings_by_name
from server.flow.sdk.external import ExternalDataMap
from server.flow.sdk.flow_thread import FlowThread
from server.flow.sdk.graph_desc import FlowGraphDesc, GraphSource
from server.flow.sdk.statuses import status_of, unit_code
from server.flow.sdk.stream_io import FlowStreamIO
from server.flow.settings import load_settings
from server.flow.status import FlowError
from server.flow.unitapi import Configuration, SessionContext, Status, UnitStatusCode

RUN_WORDS = "Flow not initialized."


class GraphFormat(IntEnum):
    FORMAT_AUTO = 0
    FORMAT_TOML = 1
    FORMAT_JSON = 2

    @property
    def word(self) -> str:
        return self.name.removeprefix("FORMAT_").lower()


class Flow:
    """init, build, run or run_async, wait, stop. Methods return a Status unless they create something.

    A flow that is dropped, and one that is left at the end of the program, is stopped.
    """

    Format: ClassVar[type[GraphFormat]] = GraphFormat

    def __init__(self) -> None:
        self._source: GraphSource | None = None
        self._args: Mapping[str, str] | None = None
        self._thread: FlowThread | None = None
        self._is_running = False
        self._is_stopped = False

    def init(
        self,
        source: "str | Path | Configuration | FlowGraphDesc",
        graph: str | GraphFormat | None = None,
        format: GraphFormat = GraphFormat.FORMAT_AUTO,
    ) -> Status:
        """`init(conf_file, format)`, `init(name, graph, format)`, `init(Configuration)` or `init(FlowGraphDesc)`.

        `graph` is the text of a graph file. Its format is told from the text, blanks before it or not.
        """
        try:
            self._source = _source_of(source, graph, format)
            if self._source.dot is None:
                check_settings(self._source.settings)
        except FlowError as error:
            self._source = None
            return status_of(error)
        return Status()

    def init_by_name(
        self, name: str, args: Mapping[str, object] | None = None, flow_dir: str = DEFAULT_FOLDER
    ) -> Status:
        """The graph file in `flow_dir`, or in a folder there, whose `flow.name` is `name`. `args` take the place
        of `$key` in its node attributes."""
        try:
            settings = settings_by_name(name, flow_dir)
            check_settings(settings)
            check_arguments(settings, args or {})
        except FlowError as error:
            return status_of(error)
        self._args = {key: str(value) for key, value in (args or {}).items()}
        self._source = GraphSource(settings)
        return Status()

    def build(self) -> Status:
        """Checks the graph, makes its units and opens them."""
        if self._source is None:
            return Status(UnitStatusCode.STATUS_FAULT, RUN_WORDS)
        if self._thread is not None:
            return Status(UnitStatusCode.STATUS_ALREADY, "the flow is built already")
        source = self._source
        try:
            plan = compile_settings(source.settings, units=source.units, args=self._args, dot=source.dot)
            thread = _opened(source, plan)
        except FlowError as error:
            return status_of(error)
        self._thread = thread
        weakref.finalize(self, thread.stop)
        return Status()

    def run(self) -> Status:
        """Runs the flow to its end. Returns: why it ended."""
        status = self.run_async()
        if not status:
            return status
        ending = Status()
        waited = self.wait(0, ending)
        return ending if waited else waited

    def run_async(self) -> Status:
        if self._thread is None or self._is_stopped:
            return Status(UnitStatusCode.STATUS_FAULT, "Flow not built.")
        if self._is_running:
            return Status(UnitStatusCode.STATUS_ALREADY, "the flow runs already")
        try:
            self._thread.start()
        except FlowError as error:
            self._thread = None
            return status_of(error)
        self._is_running = True
        return Status()

    def start_run(self) -> Status:
        """build and run_async."""
        status = self.build()
        return self.run_async() if status else status

    def wait(self, timemout: int = 0, retval: Status | None = None) -> Status:
        """Waits up to `timemout` ms (sic; 0 = for ever, negative = not) for the flow to end by itself.

        Returns: SUCCESS when it ended, with the reason in `retval`; TIMEDOUT; BUSY from a wait that does not;
        SHUTDOWN after `stop`; FAULT when the flow does not run.
        """
        if self._is_stopped:
            return Status(UnitStatusCode.STATUS_SHUTDOWN, "the flow has been stopped")
        if self._thread is None or not self._is_running:
            return Status(UnitStatusCode.STATUS_FAULT, "the flow does not run")
        seconds = None if timemout == 0 else max(0, timemout) / 1000
        try:
            end = self._thread.end.result(seconds)
        except CancelledError:
            return Status(UnitStatusCode.STATUS_SHUTDOWN, "the flow has been stopped")
        except NotYet:
            if timemout < 0:
                return Status(UnitStatusCode.STATUS_BUSY, "the flow runs")
            return Status(UnitStatusCode.STATUS_TIMEDOUT, f"the flow did not end within {timemout} ms")
        if retval is not None:
            _fill(retval, end)
        return Status()

    def stop(self) -> Status:
        """Ends the flow and closes its units."""
        if self._thread is not None and not self._is_stopped:
            self._is_stopped = True
            self._thread.stop()
        return Status()

    def create_external_data_map(self) -> ExternalDataMap | None:
        """A new session; None when the flow is not built or its graph has no input node."""
        feed = self._begin()
        return ExternalDataMap(feed) if feed is not None else None

    def create_stream_io(self) -> FlowStreamIO | None:
        """A new session; None when the flow is not built or its graph has no input node."""
        feed = self._begin()
        return FlowStreamIO(feed) if feed is not None else None

    def _begin(self) -> InputFeed | None:
        if self._thread is None or self._is_stopped:
            return None
        return self._thread.begin(SessionContext())


def _opened(source: GraphSource, plan: Plan) -> FlowThread:
    thread = FlowThread(plan, source.makers)
    thread.build()
    return thread


def _fill(retval: Status, end: FlowEnd) -> None:
    retval._code = unit_code(end.code)
    retval._message = end.message
    retval._wrapped = None


def _source_of(
    source: "str | Path | Configuration | FlowGraphDesc", graph: str | GraphFormat | None, format: GraphFormat
) -> GraphSource:
    if isinstance(source, FlowGraphDesc):
        return source._source()
    if isinstance(source, Configuration):
        return GraphSource(dict(source._values))
    if isinstance(graph, str):
        return GraphSource(load_settings(graph))
    chosen = graph if graph is not None else format
    return GraphSource(read_settings(Path(source), GraphFormat(chosen).word))
