"""One engine: compiles a job's graph if need be, runs its flow, says what becomes of it, and ends.

It knows the flow package and nothing of the server.
"""

import asyncio
import logging
import signal
import socket
from collections.abc import Coroutine, Sequence
from hashlib import sha256
from typing import Any, TypeVar

from msgspec.structs import replace

from server.engines.control import ControlServer, Reply
from server.engines.protocol import (
    Adopt,
    Adopted,
    Counted,
    Counters,
    Ended,
    EndRecord,
    EngineHead,
    EngineRequest,
    EngineSpec,
    EngineState,
    Failed,
    Fenced,
    GivesWay,
    GiveWay,
    HandOverListeners,
    Hello,
    Listening,
    Message,
    Ping,
    Pong,
    Promote,
    Promoted,
    Ready,
    Stalled,
    Stop,
    Stopping,
)
from server.engines.records import write_end
from server.engines.rundir import RunDir
from server.engines.runtime import RunningFlow, Runtime
from server.engines.shared_listeners import SharedListeners
from server.engines.start_trace import NOT_TRACED, StartTrace, tracing_of
from server.engines.tree import end_descendants
from server.failpoints import Failpoint, hit, io_error
from server.flow.counters import bounded
from server.flow.listeners import Endpoint
from server.flow.mask import Mask
from server.flow.plan import Plan, plan_from_json
from server.flow.status import FlowError, StatusCode
from server.tracing import Tracing

_STOP_MARGIN = 2.0
"""Seconds that a flow may take beyond the grace it was given, to close its units."""

_CHILDREN_SECONDS = 0.5
"""What processes that units started, and did not end, get between SIGTERM and SIGKILL."""

_DRAIN_SECONDS = 1.0

log = logging.getLogger("engine")

Result = TypeVar("Result")


class Engine:
    def __init__(
        self,
        head: EngineHead,
        spec: EngineSpec,
        control: socket.socket,
        run_dir: RunDir,
        runtime: Runtime,
        born_at: float,
    ) -> None:
        self._head = head
        self._spec = spec
        self._control_socket = control
        self._run_dir = run_dir
        self._runtime = runtime
        self._born_at = born_at
        self._log, self._epoch = spec.log, spec.epoch
        self._state = EngineState.STARTING
        self._flow: RunningFlow | None = None
        self._news: Ready | Failed | Ended | None = None
        self._stalled = Stalled()
        self._plan_digest = ""
        self._compiled: str | None = None
        self._promoted = asyncio.Event()
        self._gives_way = False
        self._stop_requested = asyncio.Event()
        self._grace = spec.stop_grace
        self._tracing: Tracing | None = None
        self._start_trace = NOT_TRACED

    async def run(self) -> None:
        """Returns when everything is said; the process is to end then."""
        loop = asyncio.get_running_loop()
        log.info("attempt %d of job %s", self._head.attempt, self._head.job_id)
        self._listeners = SharedListeners(self._head.job_id, self._run_dir)
        self._control = ControlServer(self._control_socket, self._greet, self._answer)
        self._control.serve()
        hit(Failpoint.ENGINE_LISTENS)
        loop.add_signal_handler(signal.SIGTERM, self._request_stop, self._spec.stop_grace)
        news = _masked(await self._life())
        self._leave_word(news)
        hit(Failpoint.ENGINE_END_WRITTEN)
        self._tell(EngineState.FAILED if isinstance(news, Failed) else EngineState.ENDED, news)
        hit(Failpoint.ENGINE_END_TOLD)
        closing = asyncio.to_thread(self._tracing.close) if self._tracing is not None else asyncio.sleep(0)
        await asyncio.gather(end_descendants(self._head.identity.pid, _CHILDREN_SECONDS), closing)
        await self._control.drain(_DRAIN_SECONDS)
        self._run_dir.of_engine(self._head.job_id, "sock", self._head.seat).unlink(missing_ok=True)

    def _leave_word(self, news: Failed | Ended) -> None:
        """For whoever comes later; those who listen now are told anyway."""
        try:
            hit(Failpoint.ENGINE_END_WRITE, io_error)
            write_end(self._run_dir, EndRecord(head=self._head, news=news))
        except OSError as error:
            log.error("the end cannot be written down: %s", error)

    async def _life(self) -> Failed | Ended:
        try:
            async with asyncio.timeout(self._spec.start_timeout):
                flow = await self._unless_stopped(self._open())
        except FlowError as error:
            return Failed(code=error.code, message=str(error))
        except TimeoutError:
            reason = f"{StatusCode.TIMEDOUT.text}, not ready within {self._spec.start_timeout:g} seconds"
            return Failed(code=StatusCode.TIMEDOUT, message=reason)
        except Exception as error:
            code, message = _unexpected(error)
            return Failed(code=code, message=message)
        if flow is None:
            return Ended(code=StatusCode.STOP, message="stopped before it was ready")
        self._flow = flow
        self._tell(EngineState.READY, Ready(endpoints=_urls(flow.endpoints), plan=self._compiled))
        hit(Failpoint.ENGINE_READY)
        if self._spec.successor and (end := await self._until_promoted(flow)) is not None:
            return end
        stalls = asyncio.create_task(self._tell_stalls(flow))
        try:
            return await self._until_ended(flow)
        except FlowError as error:
            return Ended(code=error.code, message=str(error))
        except Exception as error:
            code, message = _unexpected(error)
            return Ended(code=code, message=message)
        finally:
            stalls.cancel()

    async def _until_promoted(self, flow: RunningFlow) -> Failed | Ended | None:
        """None once the flow serves; its end, if that comes before."""
        if await self._unless_stopped(self._promoted.wait()) is None:
            await self._stop(flow, 0.0)
            return Ended(code=StatusCode.STOP, message="stopped before it took over")
        hit(Failpoint.ENGINE_PROMOTED)
        try:
            await flow.start()
        except FlowError as error:
            return Failed(code=error.code, message=str(error))
        except Exception as error:
            code, message = _unexpected(error)
            return Failed(code=code, message=message)
        log.info("took over")
        return None

    async def _tell_stalls(self, flow: RunningFlow) -> None:
        while True:
            self._stalled = Stalled(stalls=bounded(await flow.next_stalls()))
            self._control.broadcast(self._stalled)

    async def _open(self) -> RunningFlow:
        if self._spec.tracing.endpoint:
            # in a thread: it loads what engines without traces do not need
            self._tracing = await asyncio.to_thread(tracing_of, self._spec)
            self._start_trace = StartTrace(self._tracing, self._spec, self._born_at)
        with self._start_trace.step("compile"):
            plan = await self._plan()
        flow = self._runtime.flow(plan, self._listeners, self._spec.flow_limits)
        if self._tracing is not None:
            flow.be_traced(self._tracing)
        hit(Failpoint.ENGINE_COMPILED, _injected)
        with self._start_trace.step("open"):
            if self._spec.successor:
                await flow.prepare()
            else:
                await flow.open()
        hit(Failpoint.ENGINE_OPENED, _injected)
        return flow

    async def _plan(self) -> Plan:
        plan = plan_from_json(self._spec.plan) if self._spec.plan is not None else None
        if plan is not None and self._spec.plan is not None and plan.is_self_contained:
            self._plan_digest = _digest(self._spec.plan)
            return plan
        # in a thread: parsing takes up to seconds, and the control socket has to answer meanwhile
        plan = await asyncio.to_thread(self._runtime.compile, self._spec.graph_format, self._spec.source)
        self._compiled = plan.to_json()
        self._plan_digest = _digest(self._compiled)
        return plan

    async def _until_ended(self, flow: RunningFlow) -> Ended:
        end = await self._unless_stopped(flow.ended())
        # a flow that ended by itself may have requests in flight, which nothing will answer any more
        await self._stop(flow, self._grace if end is None else 0.0)
        if end is not None:
            return Ended(code=end.code, message=end.message, is_final=end.code is not StatusCode.SUCCESS)
        return Ended(code=StatusCode.STOP, message="stopped")

    async def _stop(self, flow: RunningFlow, grace: float) -> None:
        hit(Failpoint.ENGINE_STOPPING)
        self._listeners.take_no_more()
        try:
            await asyncio.wait_for(flow.stop(grace), grace + _STOP_MARGIN)
        except TimeoutError:
            log.warning("the flow did not stop within %g seconds", grace)
        hit(Failpoint.ENGINE_STOPPED)

    async def _unless_stopped(self, work: Coroutine[Any, Any, Result]) -> Result | None:
        """The result of `work`; None, with `work` cancelled, when a stop is requested first."""
        stopping = asyncio.create_task(self._stop_requested.wait())
        working = asyncio.create_task(work)
        try:
            await asyncio.wait((stopping, working), return_when=asyncio.FIRST_COMPLETED)
            return working.result() if working.done() else None
        finally:
            stopping.cancel()
            working.cancel()

    def _give_way(self) -> None:
        hit(Failpoint.ENGINE_GIVES_WAY)
        flow = self._flow
        if self._gives_way:
            return
        self._gives_way = True
        if flow is None:
            self._request_stop(0.0)  # not ready yet, it has nothing to give
            return
        log.info("gives way to its successor")
        # first: what is handed over from now on is for the next engine
        self._listeners.take_no_more()
        flow.give_way()

    def _request_stop(self, grace: float) -> None:
        self._grace = grace
        self._stop_requested.set()

    def _tell(self, state: EngineState, news: Ready | Failed | Ended) -> None:
        self._state = state
        self._news = news
        self._start_trace.end(getattr(news, "message", ""))
        log.info("%s", " ".join((state, getattr(news, "message", ""))).rstrip())
        self._control.broadcast(news)

    def _greet(self) -> Sequence[Message]:
        news = self._news
        hello = Hello(
            head=self._head,
            state=self._state,
            born_at=self._born_at,
            message=news.message if isinstance(news, Failed | Ended) else "",
            endpoints=news.endpoints if isinstance(news, Ready) else (),
            plan_digest=self._plan_digest,
        )
        if news is None:
            return [hello]
        return [hello, news, self._stalled] if isinstance(news, Ready) else [hello, news]

    def _counted(self) -> Counted:
        if self._flow is None:
            return Counted(nodes=())
        flow = self._flow
        return Counted(nodes=flow.counters(), stalls=flow.stalls(), status=flow.scheduler_status())

    def _is_fenced(self, log: str, epoch: int) -> bool:
        return log == self._log and epoch < self._epoch

    def _answer(self, request: EngineRequest) -> Reply:
        match request:
            case Ping():
                return Pong(), ()
            case Counters():
                return self._counted(), ()
            case HandOverListeners():
                endpoints, descriptors = self._listeners.held()
                return Listening(job_id=self._head.job_id, endpoints=endpoints), descriptors
            case (
                Adopt(epoch=epoch, log=name)
                | Stop(epoch=epoch, log=name)
                | GiveWay(epoch=epoch, log=name)
                | Promote(epoch=epoch, log=name)
            ) if self._is_fenced(name, epoch):
                return Fenced(epoch=self._epoch), ()
            case GiveWay(epoch=epoch, log=name):
                self._log, self._epoch = name, epoch
                self._give_way()
                return GivesWay(), ()
            case Promote(epoch=epoch, log=name):
                self._log, self._epoch = name, epoch
                self._promoted.set()
                return Promoted(), ()
            case Adopt(epoch=epoch, log=name):
                self._log, self._epoch = name, epoch
                return Adopted(), ()
            case Stop(epoch=epoch, log=name, grace=grace):
                self._log, self._epoch = name, epoch
                self._request_stop(grace)
                return Stopping(), ()


def _injected() -> FlowError:
    return FlowError(StatusCode.FAULT, "injected failure")


def _masked(news: Failed | Ended) -> Failed | Ended:
    """What is said here is kept in the log of events."""
    return replace(news, message=Mask.of_process()(news.message))


def _unexpected(error: Exception) -> tuple[StatusCode, str]:
    log.error("unexpected", exc_info=error)
    code = StatusCode.NOMEM if isinstance(error, MemoryError) else StatusCode.INTERNAL
    return code, f"{code.text}, {type(error).__name__}: {error}"


def _digest(plan: str) -> str:
    return sha256(plan.encode()).hexdigest()


def _urls(endpoints: Sequence[Endpoint]) -> tuple[str, ...]:
    return tuple(endpoint.url for endpoint in endpoints)
