"""All events: facts about jobs, in the past tense, as they stand in the log.

An event's `type` is its name in the log for ever; renaming a class here changes nothing there. A field that is
added needs a default, so that older rows still decode.
"""

from datetime import datetime
from typing import ClassVar

import msgspec

from server.jobs.ids import Digest, Epoch, JobId, Position
from server.jobs.options import NO_OPTIONS, JobOptions


class EngineIdentity(msgspec.Struct, frozen=True):
    """Which process: a pid alone may be another program's by now, so start time and boot id go with it.

    `start_time` is in clock ticks since boot (field 22 of /proc/PID/stat). `host` is the machine's name,
    `run_dir` the directory on it that holds the engine's sockets.
    """

    pid: int
    start_time: int
    boot_id: str
    host: str
    run_dir: str


class LastExit(msgspec.Struct, frozen=True, kw_only=True):
    """How the newest engine that is gone came to its end. `code` and `signal` are None when its process did not
    say, or when nobody saw it."""

    attempt: int
    at: datetime
    code: int | None = None
    signal: int | None = None
    out_of_memory: bool = False
    message: str = ""


class StalledNode(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A node that has input and makes no progress; `stacks` are those of the threads in its unit."""

    node: str
    unit: str
    reason: str
    stacks: tuple[str, ...] = ()


class Stall(msgspec.Struct, frozen=True, kw_only=True):
    """Since when which nodes of a flow make no progress."""

    since: datetime
    nodes: tuple[StalledNode, ...]


class Event(msgspec.Struct, frozen=True, kw_only=True):
    type: ClassVar[str]
    schema_version: ClassVar[int] = 1


class LeaderElected(Event, frozen=True, kw_only=True):
    """A runner became the leader. Belongs to no job."""

    type: ClassVar[str] = "leader-elected"
    host: str
    pid: int


class BackupRestored(Event, frozen=True, kw_only=True):
    """The log up to here came from a backup; what had happened since is lost, on purpose. Belongs to no job.
    Begins an epoch that is higher than any before, as LossAccepted does."""

    type: ClassVar[str] = "backup-restored"
    host: str


class LossAccepted(Event, frozen=True, kw_only=True):
    """The database had lost events that were on record (`known_position` and `known_checksum` are the last that
    was known of), and somebody decided to go on without. Belongs to no job."""

    type: ClassVar[str] = "loss-accepted"
    host: str
    known_position: int
    known_checksum: str


class EventsArchived(Event, frozen=True, kw_only=True):
    """The `events` of so many deleted `jobs` are in a file and leave the log. Belongs to no job. `archive` is the
    file's id, `sha256` that of its text, uncompressed. Positions of the log that have no event any more name the
    position of this one; the file may hold some that were archived before."""

    type: ClassVar[str] = "events-archived"
    archive: str
    file: str
    sha256: str
    jobs: int
    events: int


class JobCreated(Event, frozen=True, kw_only=True):
    """`origin` is "rest" or "file"; `file_digest` is the SHA-256 of a boot file's bytes, "" for REST."""

    type: ClassVar[str] = "job-created"
    graph_digest: Digest
    origin: str = "rest"
    file_digest: str = ""
    options: JobOptions = NO_OPTIONS


class EngineStarted(Event, frozen=True, kw_only=True):
    """The engine process of this attempt exists."""

    type: ClassVar[str] = "engine-started"
    attempt: int
    engine: EngineIdentity


class EngineReady(Event, frozen=True, kw_only=True):
    """Units are open, ports answer."""

    type: ClassVar[str] = "engine-ready"
    attempt: int
    endpoints: tuple[str, ...] = ()


class EngineAdopted(Event, frozen=True, kw_only=True):
    """A new leader found this attempt's engine at work and took it over, interrupting nothing."""

    type: ClassVar[str] = "engine-adopted"
    attempt: int
    engine: EngineIdentity


class EngineUnreachable(Event, frozen=True, kw_only=True):
    """The engine's process exists and does not answer."""

    type: ClassVar[str] = "engine-unreachable"
    attempt: int
    reason: str


class EngineFailed(Event, frozen=True, kw_only=True):
    """The flow could not be built or opened, or ended with an error. No `retry_at`: it will not be tried again.
    `failures` counts failures in a row, this one included, `in_interval` those since `interval_began`, `rounds`
    all ends in a row, good ones too, that another attempt follows."""

    type: ClassVar[str] = "engine-failed"
    attempt: int
    error: str
    failures: int
    rounds: int = 0
    in_interval: int = 0
    interval_began: datetime | None = None
    retry_at: datetime | None = None


class EngineExited(Event, frozen=True, kw_only=True):
    """The engine's process ended without having said why. `exit_code` is None when a signal ended it, or when
    nobody was there to see; `out_of_memory`: most likely for want of memory, its own limit's or the machine's;
    the rest as in EngineFailed."""

    type: ClassVar[str] = "engine-exited"
    attempt: int
    exit_code: int | None
    signal: int | None
    out_of_memory: bool = False
    error: str
    failures: int
    rounds: int = 0
    in_interval: int = 0
    interval_began: datetime | None = None
    retry_at: datetime | None = None


class EngineLost(Event, frozen=True, kw_only=True):
    """The engine was gone when a new leader looked for it: a reboot, or everything was killed. Not the flow's
    fault, so it is started again at once and counts as no failure."""

    type: ClassVar[str] = "engine-lost"
    attempt: int
    reason: str


class EngineStopped(Event, frozen=True, kw_only=True):
    """We ended the engine, for `reason`; the job itself is still wanted."""

    type: ClassVar[str] = "engine-stopped"
    attempt: int
    reason: str


class EngineHealthy(Event, frozen=True, kw_only=True):
    """The engine has run well for long enough after ends before it: they count no more."""

    type: ClassVar[str] = "engine-healthy"
    attempt: int


class FlowStalled(Event, frozen=True, kw_only=True):
    """The flow has input and has made no progress since then. The stacks are cut to 16 KiB in all. `number` counts
    the stalls of this attempt, some of which may not be in the log."""

    type: ClassVar[str] = "flow-stalled"
    attempt: int
    number: int
    reason: str
    since: datetime
    nodes: tuple[StalledNode, ...]


class FlowRecovered(Event, frozen=True, kw_only=True):
    """A flow that made no progress, for the `number`th time in this attempt, goes on."""

    type: ClassVar[str] = "flow-recovered"
    attempt: int
    number: int


class FlowSucceeded(Event, frozen=True, kw_only=True):
    """Every source ended and all data is through. `retry_at`: when it runs once more, if its policy wants that;
    `rounds` as in EngineFailed."""

    type: ClassVar[str] = "flow-succeeded"
    attempt: int
    rounds: int = 0
    retry_at: datetime | None = None


class AttemptsSummedUp(Event, frozen=True, kw_only=True):
    """Attempts of a crash loop that the log does not have one by one: `attempts` of them, from `first_attempt`,
    which started at `began_at`, to `attempt`, whose end is told here; ready for `seconds_running` in all. `how`
    the last one ended: "failed", "exited", "succeeded". The rest is what that end left the job with."""

    type: ClassVar[str] = "attempts-summed-up"
    first_attempt: int
    attempt: int
    attempts: int
    began_at: datetime
    seconds_running: float
    how: str
    error: str
    failures: int
    rounds: int
    in_interval: int
    interval_began: datetime | None
    ever_ready: bool
    last_exit: LastExit | None
    retry_at: datetime | None


class ChangeRequested(Event, frozen=True, kw_only=True):
    """Somebody wants the job to have this graph and these options: its version number `revision`. `back_to`: the
    earlier version that has the same content and was asked for, 0 when none was."""

    type: ClassVar[str] = "change-requested"
    revision: int
    graph_digest: Digest
    options: JobOptions = NO_OPTIONS
    file_digest: str = ""
    back_to: int = 0


class SuccessorStarted(Event, frozen=True, kw_only=True):
    """The engine process of this attempt exists, to take over from the job's engine once it is ready."""

    type: ClassVar[str] = "successor-started"
    attempt: int
    engine: EngineIdentity


class ChangeApplied(Event, frozen=True, kw_only=True):
    """From here on the job has that version. With an `attempt`, it has that engine too, whose units are open; it
    serves when it is told so, which `engine-ready` says. Without: no engine had to be started for it, or the next
    one will have it."""

    type: ClassVar[str] = "change-applied"
    revision: int
    attempt: int | None = None
    engine: EngineIdentity | None = None
    endpoints: tuple[str, ...] = ()


class ChangeFailed(Event, frozen=True, kw_only=True):
    """Nothing came of that version; the job is as it was. `attempt`: of the engine that tried, if one did."""

    type: ClassVar[str] = "change-failed"
    revision: int
    attempt: int | None = None
    error: str


ChangeEvent = ChangeRequested | SuccessorStarted | ChangeApplied | ChangeFailed


class StopRequested(Event, frozen=True, kw_only=True):
    """The job is to have no engine until somebody starts it. `grace`: seconds that its engine has to finish what
    it has begun, None for the configuration's; 0: it is killed at once."""

    type: ClassVar[str] = "stop-requested"
    grace: float | None = None


class StartRequested(Event, frozen=True, kw_only=True):
    """The job is to have an engine, now, whatever became of earlier ones."""

    type: ClassVar[str] = "start-requested"


class RestartRequested(Event, frozen=True, kw_only=True):
    """The job is to have another engine than it has, or had last. `grace` as in StopRequested."""

    type: ClassVar[str] = "restart-requested"
    grace: float | None = None


class DeleteRequested(Event, frozen=True, kw_only=True):
    """`grace` as in StopRequested. Asked for again, it shortens the one before."""

    type: ClassVar[str] = "delete-requested"
    grace: float | None = None


OrderEvent = StopRequested | StartRequested | RestartRequested | DeleteRequested

COMMANDS_OF_CLIENTS = (ChangeRequested, StopRequested, StartRequested, RestartRequested, DeleteRequested)
"""What clients, or files, had done to a job after it was created; the rest is what became of it."""


class JobDeleted(Event, frozen=True, kw_only=True):
    """Its engine is gone and so is the job. The last event of an incarnation."""

    type: ClassVar[str] = "job-deleted"


class InArchive(Event, frozen=True, kw_only=True):
    """In place of `events` that are in the archive `file`, at positions `from_position` to `to_position`: of one
    incarnation when it stands among a job's events, else all between. Not in the log, made when that is read."""

    type: ClassVar[str] = "in-archive"
    from_position: int
    to_position: int
    events: int
    file: str


class UnknownEvent(Event, frozen=True, kw_only=True):
    """An event that a newer program wrote: kept in the log, skipped by the fold."""

    type: ClassVar[str] = ""
    data: msgspec.Raw


EVENT_TYPES: dict[str, type[Event]] = {
    cls.type: cls
    for cls in (
        LeaderElected,
        BackupRestored,
        LossAccepted,
        EventsArchived,
        JobCreated,
        EngineStarted,
        EngineReady,
        EngineAdopted,
        EngineUnreachable,
        EngineFailed,
        EngineExited,
        EngineLost,
        EngineStopped,
        EngineHealthy,
        FlowStalled,
        FlowRecovered,
        FlowSucceeded,
        AttemptsSummedUp,
        ChangeRequested,
        SuccessorStarted,
        ChangeApplied,
        ChangeFailed,
        StopRequested,
        StartRequested,
        RestartRequested,
        DeleteRequested,
        JobDeleted,
    )
}


SHOWN_TYPES: tuple[type[msgspec.Struct], ...] = (*EVENT_TYPES.values(), InArchive)
"""What a reader of the log may meet."""


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """An event as it stands in the log. `job_id` is "" for events that belong to no job (`incarnation` and
    `version` are 0 then). `epoch` is None when no runner wrote it."""

    position: Position
    job_id: JobId
    incarnation: int
    version: int
    event: Event
    type: str
    schema_version: int
    actor: str
    request_id: str
    idempotency_key: str | None
    epoch: Epoch | None
    recorded_at: datetime


def encode_event(event: Event) -> str:
    """The event's fields as JSON text."""
    return msgspec.json.encode(event).decode()


def decode_event(event_type: str, schema_version: int, data: str | bytes) -> Event:
    """The event of a row. Old schema versions are upcast here, unknown types and versions kept as they are."""
    known = EVENT_TYPES.get(event_type)
    if known is None or schema_version > known.schema_version:
        return UnknownEvent(data=msgspec.Raw(data.encode() if isinstance(data, str) else data))
    return msgspec.json.decode(data, type=known)
