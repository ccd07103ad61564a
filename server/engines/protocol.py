"""What engine host, engines and their clients say to each other.

Every message is a frame: 4 bytes of length (big-endian), then a msgpack map whose `type` names the message.
A request gets exactly one answer on its connection, in order; an engine's control socket also sends news unasked.
"""

from enum import StrEnum
from struct import Struct

import msgspec
from msgspec.msgpack import Decoder

from server.engines.logs.files import LogLimits
from server.flow.counters import NodeCounters, Stall
from server.flow.limits import FlowLimits
from server.jobs.events import EngineIdentity
from server.jobs.limits import NO_LIMITS, Limits
from server.tracing import OFF, TracingSettings

MAX_FRAME = 64 * 1024 * 1024
"""Bytes: more than any graph with its plan that the API accepts."""

_LENGTH = Struct(">I")


class ProtocolError(Exception):
    """The other side does not speak this protocol."""


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    pass


class EngineSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt to run a job. `log` names the event log whose leader asks for it; epochs of two logs say nothing
    about each other. `plan` is the compiled graph as JSON, None when the engine has to compile
    `source`. `start_timeout` and `stop_grace` are in seconds; the latter is for SIGTERM, which names none.
    `traceparent` is the place of its start in a trace, "" in none.
    `seat`: which of the job's two; a `successor` takes the one that the job's engine has not, and does nothing
    until it is promoted."""

    job_id: str
    incarnation: int
    attempt: int
    epoch: int
    graph_format: str
    source: str
    plan: str | None = None
    flow_limits: FlowLimits = FlowLimits()
    start_timeout: float = 60.0
    stop_grace: float = 5.0
    limits: Limits = NO_LIMITS
    log_limits: LogLimits = LogLimits()
    log: str = ""
    seat: int = 0
    successor: bool = False
    tracing: TracingSettings = OFF
    traceparent: str = ""


class EngineHead(msgspec.Struct, frozen=True, kw_only=True):
    """Which attempt of which job a process is: the content of an engine's lock file. `rations` are limits that no
    cgroup enforces, so that the host looks after them. `successor`: it was started as one."""

    job_id: str
    incarnation: int
    attempt: int
    epoch: int
    identity: EngineIdentity
    rations: Limits = NO_LIMITS
    log_limits: LogLimits = LogLimits()
    log: str = ""
    seat: int = 0
    successor: bool = False


class ClaimedEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """`host` as the graph wrote it, `address` what it resolved to. With `tls` the address is one job's alone."""

    host: str
    address: str
    port: int
    path: str
    tls: bool = False


class Start(Message, frozen=True, tag="start"):
    spec: EngineSpec


class Claim(Message, frozen=True, tag="claim"):
    """An engine wants a listening socket. Answered by Claimed (with the descriptor) or Refused."""

    job_id: str
    endpoint: ClaimedEndpoint


class HowEnded(Message, frozen=True, tag="how-ended"):
    """Answered by Exit, or NotKnown when that engine was not this host's child or was acknowledged."""

    job_id: str
    seat: int = 0


class Acknowledge(Message, frozen=True, tag="acknowledge"):
    """The exit of this process is recorded elsewhere: forget it."""

    job_id: str
    pid: int
    seat: int = 0


class Release(Message, frozen=True, tag="release"):
    """The job needs its listeners no more."""

    job_id: str


class Retain(Message, frozen=True, tag="retain"):
    """Of the job's claims only these are needed any more."""

    job_id: str
    endpoints: tuple[ClaimedEndpoint, ...]


class ShutDown(Message, frozen=True, tag="shut-down"):
    """The host ends; engines stay."""


HostRequest = Start | Claim | HowEnded | Acknowledge | Release | Retain | ShutDown


class Started(Message, frozen=True, tag="started"):
    identity: EngineIdentity


class Refusal(StrEnum):
    RUNNING = "running"
    OLD_EPOCH = "old-epoch"
    IMPOSSIBLE = "impossible"


class Refused(Message, frozen=True, tag="refused"):
    reason: str
    kind: Refusal = Refusal.IMPOSSIBLE


class Claimed(Message, frozen=True, tag="claimed"):
    pass


class Exit(Message, frozen=True, tag="exit"):
    """How a child of the host ended: `exit_code`, or the `signal` that killed it. `out_of_memory`: most likely for
    want of memory, its own limit's or the machine's. `reason`: in words, where more is known than the number."""

    head: EngineHead
    exit_code: int | None
    signal: int | None
    out_of_memory: bool
    reason: str = ""


class NotKnown(Message, frozen=True, tag="not-known"):
    pass


class Done(Message, frozen=True, tag="done"):
    pass


HostAnswer = Started | Refused | Claimed | Exit | NotKnown | Done


class Adopt(Message, frozen=True, tag="adopt"):
    """A new leader takes the engine over. Answered by Adopted or Fenced."""

    epoch: int
    log: str = ""


class Stop(Message, frozen=True, tag="stop"):
    """Answered by Stopping or Fenced. `grace` in seconds is for requests in flight."""

    grace: float
    epoch: int
    log: str = ""


class GiveWay(Message, frozen=True, tag="give-way"):
    """The engine's successor is about to take over: it accepts nothing more and ends its sources. What it has
    begun goes on. Idempotent. Answered by GivesWay or Fenced."""

    epoch: int
    log: str = ""


class Promote(Message, frozen=True, tag="promote"):
    """A successor is its job's engine now: it serves. Idempotent. Answered by Promoted or Fenced."""

    epoch: int
    log: str = ""


class Ping(Message, frozen=True, tag="ping"):
    pass


class HandOverListeners(Message, frozen=True, tag="hand-over-listeners"):
    """A new host asks for the listening sockets. Answered by Listening, with one descriptor an endpoint."""


class Counters(Message, frozen=True, tag="counters"):
    """Answered by Counted, at any time."""


EngineRequest = Adopt | Stop | GiveWay | Promote | Ping | HandOverListeners | Counters


class EngineState(StrEnum):
    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"
    ENDED = "ended"
    SILENT = "silent"
    """Never said by an engine: its process exists and does not answer."""
    GONE = "gone"
    """Never said by an engine: its process ended without a word."""


class Hello(Message, frozen=True, tag="hello"):
    """An engine's first word on every connection. `plan_digest` is the SHA-256 of the plan's JSON, "" before
    there is one. `born_at` is the CLOCK_MONOTONIC, in seconds, of its first instruction."""

    head: EngineHead
    state: EngineState
    born_at: float = 0.0
    message: str = ""
    endpoints: tuple[str, ...] = ()
    plan_digest: str = ""

    @property
    def job_id(self) -> str:
        return self.head.job_id

    @property
    def incarnation(self) -> int:
        return self.head.incarnation

    @property
    def attempt(self) -> int:
        return self.head.attempt

    @property
    def epoch(self) -> int:
        return self.head.epoch


class Ready(Message, frozen=True, tag="ready"):
    """Units are open, ports answer; those of a successor will, when it is promoted. `plan` is JSON if the engine
    had to compile it, else None."""

    endpoints: tuple[str, ...]
    plan: str | None = None


class Failed(Message, frozen=True, tag="failed"):
    """The flow could not be built or opened. `code` is a server.flow.status.StatusCode."""

    message: str
    code: int


class Ended(Message, frozen=True, tag="ended"):
    """The flow came to its end, or was stopped. `is_final`: the flow itself ended with an error, so that starting
    it again would repeat that."""

    message: str
    code: int
    is_final: bool = False


class Stalled(Message, frozen=True, tag="stalled"):
    """The flow has input and makes no progress: which nodes, and why. None: it goes on again. Sent whenever that
    changes, and to every new client once the flow is ready."""

    stalls: tuple[Stall, ...] = ()


class Adopted(Message, frozen=True, tag="adopted"):
    pass


class Stopping(Message, frozen=True, tag="stopping"):
    pass


class GivesWay(Message, frozen=True, tag="gives-way"):
    pass


class Promoted(Message, frozen=True, tag="promoted"):
    """It does, or is just beginning to."""


class Fenced(Message, frozen=True, tag="fenced"):
    """The command's epoch is older than the engine's."""

    epoch: int


class Pong(Message, frozen=True, tag="pong"):
    pass


class Listening(Message, frozen=True, tag="listening"):
    job_id: str
    endpoints: tuple[ClaimedEndpoint, ...]


class Counted(Message, frozen=True, tag="counted"):
    """What the flow has counted so far, node by node, which nodes make no progress though they have input, and how
    busy it is (`initial`, `running`, `idle`, `blocking` or `shutdown`, spec 9)."""

    nodes: tuple[NodeCounters, ...]
    stalls: tuple[Stall, ...] = ()
    status: str = "initial"


EngineMessage = (
    Hello
    | Ready
    | Stalled
    | Failed
    | Ended
    | Adopted
    | Stopping
    | GivesWay
    | Promoted
    | Fenced
    | Pong
    | Listening
    | Counted
)


class HandedOver(Message, frozen=True, tag="handed-over"):
    """One engine gives another a connection (its descriptor comes along) and what it already read from it.
    Answered by Taken; without that answer the connection still is the sender's. To its successor it gives
    connections of its own: the other's paths need not be the same, only the address."""

    endpoint: ClaimedEndpoint
    received: bytes
    to_successor: bool = False


class Taken(Message, frozen=True, tag="taken"):
    pass


class EndRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The content of an engine's end file."""

    head: EngineHead
    news: Failed | Ended


host_request: Decoder[HostRequest] = Decoder(HostRequest)
host_answer: Decoder[HostAnswer] = Decoder(HostAnswer)
engine_request: Decoder[EngineRequest] = Decoder(EngineRequest)
engine_message: Decoder[EngineMessage] = Decoder(EngineMessage)
handed_over = Decoder(HandedOver)
taken = Decoder(Taken)


def frame(message: Message) -> bytes:
    body = msgspec.msgpack.encode(message)
    return _LENGTH.pack(len(body)) + body


class Frames:
    """Bytes in, frames out. Holds at most one unfinished frame."""

    def __init__(self, limit: int = MAX_FRAME) -> None:
        self._limit = limit
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that are complete now. Raises: ProtocolError, when one is longer than the limit."""
        self._buffer += data
        complete: list[bytes] = []
        start = 0
        while len(self._buffer) - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer, start)
            if length > self._limit:
                raise ProtocolError(f"a frame of {length} bytes is longer than {self._limit}")
            end = start + _LENGTH.size + length
            if len(self._buffer) < end:
                break
            complete.append(bytes(self._buffer[start + _LENGTH.size : end]))
            start = end
        del self._buffer[:start]
        return complete
