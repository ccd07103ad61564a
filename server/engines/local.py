"""The driver for engines on this machine: forked by an engine host that outlives whoever uses the driver."""

import asyncio
import contextlib
from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from server.engines.conversation import ask
from server.engines.driver import EngineFenced, EngineHandle, EngineHostGone, EngineRefused
from server.engines.handle import LocalHandle
from server.engines.hostlink import HostLink
from server.engines.identity import is_alive
from server.engines.protocol import (
    Acknowledge,
    Adopt,
    EngineHead,
    EngineMessage,
    EngineSpec,
    EngineState,
    Exit,
    Failed,
    Fenced,
    Hello,
    HowEnded,
    Ping,
    ProtocolError,
    Refused,
    Release,
    Retain,
    ShutDown,
    Start,
    Started,
)
from server.engines.records import newest_epoch, note_epoch, read_end, read_head, read_head_file
from server.engines.rundir import RunDir, raise_descriptor_limit
from server.engines.runtime import DEFAULT_RUNTIME
from server.jobs.events import EngineIdentity

NO_JOB = 0
"""No job's incarnation."""

_ENGINE_ANSWERS_WITHIN = 2.0
_LISTED_AT_ONCE = 64


class LocalDriver:
    """One per runner and state directory. Starts the engine host when it is first needed, or needed again."""

    def __init__(self, state_dir: Path, runtime: str = DEFAULT_RUNTIME, cgroup: str = "", log: str = "") -> None:
        """`cgroup` as `engine.cgroup` in the configuration, for a host that this driver starts; `log` names the
        event log on whose behalf it works."""
        raise_descriptor_limit()
        self._run_dir = RunDir(state_dir)
        self._runtime, self._cgroup, self._log = runtime, cgroup, log
        self._link = HostLink(self._run_dir, runtime, cgroup)
        self._handles: list[LocalHandle] = []
        self._noted_epoch = 0
        self._neighbours: dict[str, LocalDriver] = {}
        self._next_door: dict[str, LocalDriver] = {}  # where the engine of a job is at home, if not here

    async def prepare(self) -> None:
        # any question starts a host that is not there; this one gives it nothing to do
        await self._link.ask(Acknowledge(job_id="", pid=0))

    async def start(self, spec: EngineSpec) -> LocalHandle:
        if spec.successor and (neighbour := self._next_door.get(spec.job_id)) is not None:
            return await neighbour.start(spec)  # where the listening sockets are
        await self._leave_next_door(spec.job_id)
        answer = await self._link.ask(Start(spec=replace(spec, log=self._log)))
        if isinstance(answer, Refused):
            raise EngineRefused(answer.reason, answer.kind)
        if not isinstance(answer, Started):
            raise EngineHostGone(f"the engine host answered a start with {type(answer).__name__}")
        head = EngineHead(
            job_id=spec.job_id,
            incarnation=spec.incarnation,
            attempt=spec.attempt,
            epoch=spec.epoch,
            log=self._log,
            identity=answer.identity,
            seat=spec.seat,
            successor=spec.successor,
        )
        return self._handle(Hello(head=head, state=EngineState.STARTING), spec.epoch)

    def _handle(self, hello: Hello, epoch: int) -> LocalHandle:
        handle = LocalHandle(self._run_dir, self._link, hello, self._log, epoch)
        self._handles = [each for each in self._handles if not each.is_finished] + [handle]
        return handle

    async def adopt(
        self, job_id: str, epoch: int, known: EngineIdentity | None = None, seat: int = 0
    ) -> LocalHandle | None:
        if epoch < (newest := newest_epoch(self._run_dir, self._log)):
            raise EngineFenced(f"a runner of epoch {newest} is at work here")
        if epoch > self._noted_epoch:  # once: a thousand engines are adopted one after the other
            self._run_dir.create()
            note_epoch(self._run_dir, self._log, epoch)
            self._noted_epoch = epoch
        neighbour = self._neighbour(known)
        handle = await neighbour.adopt(job_id, epoch, seat=seat) if neighbour is not None else None
        if neighbour is not None and handle is not None:
            self._next_door[job_id] = neighbour
            return handle
        hello = await self._adopt_alive(job_id, epoch, seat) or await self._find_end(job_id, seat)
        if hello is None:
            return None
        if hello.head.log != self._log:
            hello = replace(hello, head=replace(hello.head, incarnation=NO_JOB))
        return self._handle(hello, epoch)

    def _neighbour(self, known: EngineIdentity | None) -> "LocalDriver | None":
        """The driver for another installation's engine; None when it is ours, or of another machine."""
        if known is None or known.run_dir == str(self._run_dir.path) or not is_alive(known):
            return None
        state_dir = Path(known.run_dir).parent
        return self._neighbours.setdefault(
            known.run_dir, LocalDriver(state_dir, self._runtime, self._cgroup, self._log)
        )

    async def _leave_next_door(self, job_id: str) -> None:
        """Frees the job's ports there. A host that is gone holds none."""
        neighbour = self._next_door.pop(job_id, None)
        if neighbour is not None:
            with contextlib.suppress(EngineHostGone):
                await neighbour._link.ask(Release(job_id=job_id), start_host=False)

    async def _adopt_alive(self, job_id: str, epoch: int, seat: int) -> Hello | None:
        socket = self._run_dir.of_engine(job_id, "sock", seat)
        hello, answer = await _ask_quietly(socket, Adopt(epoch=epoch, log=self._log))
        if isinstance(answer, Fenced):
            raise EngineFenced(f"a runner of epoch {answer.epoch} owns job {job_id}")
        if hello is not None:
            return hello
        head = read_head(self._run_dir, job_id, seat)
        if head is None or not is_alive(head.identity):
            return None
        return Hello(head=head, state=EngineState.SILENT)

    async def _find_end(self, job_id: str, seat: int) -> Hello | None:
        end = read_end(self._run_dir, job_id, seat)
        if end is not None:
            state = EngineState.FAILED if isinstance(end.news, Failed) else EngineState.ENDED
            return Hello(head=end.head, state=state, message=end.news.message)
        answer = None
        with contextlib.suppress(EngineHostGone):
            answer = await self._link.ask(HowEnded(job_id=job_id, seat=seat), start_host=False)
        return Hello(head=answer.head, state=EngineState.GONE) if isinstance(answer, Exit) else None

    def alive(self) -> list[EngineHead]:
        """The live engines here, by their files: nobody is asked, and nothing is waited for."""
        heads = map(read_head_file, self._run_dir.engines.glob("*.lock"))
        return [head for head in heads if head is not None and is_alive(head.identity)]

    async def engines(self) -> set[tuple[str, int]]:
        """By their records, which costs a tenth of asking each: they are asked when they are adopted."""
        heads = {
            socket: read_head_file(socket.with_suffix(".lock")) for socket in self._run_dir.engines.glob("*.sock")
        }
        found = {
            (head.job_id, head.seat) for head in heads.values() if head is not None and is_alive(head.identity)
        }
        # just born, it has written nothing down yet
        newborn = [_ask_quietly(socket, Ping()) for socket, head in heads.items() if head is None]
        greetings = [hello.head for hello, _ in await asyncio.gather(*newborn) if hello is not None]
        return found | {(head.job_id, head.seat) for head in greetings}

    async def list(self) -> Sequence[Hello]:
        places = asyncio.Semaphore(_LISTED_AT_ONCE)

        async def look(socket: Path) -> Hello | None:
            async with places:
                hello, _ = await _ask_quietly(socket, Ping())
            head = read_head_file(socket.with_suffix(".lock"))
            if hello is not None or head is None or not is_alive(head.identity):
                return hello
            return Hello(head=head, state=EngineState.SILENT)

        sockets = sorted(self._run_dir.engines.glob("*.sock"))
        found = await asyncio.gather(*(look(socket) for socket in sockets))
        return [hello for hello in found if hello is not None]

    async def retain(self, handle: EngineHandle) -> None:
        job_id = handle.hello.head.job_id
        held = await handle.held() if isinstance(handle, LocalHandle) else None
        if held is not None:
            link = self._next_door.get(job_id, self)._link
            await link.ask(Retain(job_id=job_id, endpoints=held))

    async def release(self, job_id: str) -> None:
        await self._leave_next_door(job_id)
        await self._link.ask(Release(job_id=job_id))

    async def shutdown(self) -> None:
        with contextlib.suppress(EngineHostGone):
            await self._link.ask(ShutDown(), start_host=False)
        await self._link.close()

    async def close(self) -> None:
        for handle in self._handles:
            await handle.close()
        self._handles.clear()
        await self._link.close()
        for neighbour in self._neighbours.values():
            await neighbour.close()


async def _ask_quietly(socket: Path, request: Adopt | Ping) -> tuple[Hello | None, EngineMessage | None]:
    """Nothing, when nobody answers."""
    try:
        return await ask(socket, request, _ENGINE_ANSWERS_WITHIN)
    except (OSError, ProtocolError):
        return None, None
