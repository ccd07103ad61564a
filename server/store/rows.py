"""Jobs, events and graphs as rows, and back. Also: text that a database refuses, made acceptable before the fold
sees it, so that the projection and a later fold of the log agree."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from server.jobs.commands import Context, Graph
from server.jobs.events import EngineIdentity, Event, LastExit, Recorded, Stall, decode_event, encode_event
from server.jobs.ids import Digest, Epoch, JobId, Position, digest_of
from server.jobs.options import NO_OPTIONS, JobOptions
from server.jobs.orders import NO_ORDERS, Orders
from server.jobs.state import Job
from server.jobs.versions import NO_CHANGES, Changes
from server.jobs.words import Actual, Desired, Outcome
from server.store.checksums import job_checksum, text_checksum
from server.store.errors import Damaged

Values = dict[str, Any]
"""A row to be written: column name to value."""

DESIRED = {word.value: word for word in Desired}
ACTUAL = {word.value: word for word in Actual}
OUTCOME = {word.value: word for word in Outcome}


def is_storable(text: str) -> bool:
    """Whether both databases take `text`: no NUL, no half of a surrogate pair."""
    return "\0" not in text and (text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text))


def clean_text(text: str) -> str:
    """`text` with U+FFFD for what no database takes."""
    if is_storable(text):
        return text
    return text.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def clean_event(event: Event) -> tuple[Event, str]:
    """The event as the log can hold it, and its JSON."""
    try:
        data = encode_event(event)
    except UnicodeEncodeError:
        pass
    else:
        if "\\u0000" not in data:
            return _as_read(event, data), data
    cleaned = msgspec.convert(_clean(msgspec.to_builtins(event, builtin_types=(datetime,))), type(event))
    return cleaned, encode_event(cleaned)


def _as_read(event: Event, data: str) -> Event:
    """The event as it will be read: JSON knows the offsets of time zones to the minute only."""
    has_time = getattr(event, "retry_at", None) is not None or getattr(event, "interval_began", None) is not None
    return decode_event(event.type, event.schema_version, data) if has_time else event


def _clean(value: Any) -> Any:
    match value:
        case str():
            return clean_text(value)
        case dict():
            return {key: _clean(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_clean(inner) for inner in value]
    return value


def clean_context(context: Context) -> Context:
    key = context.idempotency_key
    return msgspec.structs.replace(
        context,
        actor=clean_text(context.actor),
        request_id=clean_text(context.request_id),
        idempotency_key=None if key is None else clean_text(key),
    )


def event_values(recorded: Recorded, data: str) -> Values:
    """The row of `recorded`, whose event is `data` in JSON, but for its checksum; its time is still a datetime."""
    of_job = recorded.job_id != ""
    return {
        "position": recorded.position,
        "job_id": recorded.job_id if of_job else None,
        "incarnation": recorded.incarnation if of_job else None,
        "version": recorded.version if of_job else None,
        "type": recorded.type,
        "schema_version": recorded.schema_version,
        "data": data,
        "actor": recorded.actor,
        "request_id": recorded.request_id,
        "idempotency_key": recorded.idempotency_key,
        "epoch": recorded.epoch,
        "recorded_at": recorded.recorded_at,
    }


def recorded_of(row: Sequence[Any]) -> Recorded:
    """An event from a row with the columns of `event`, in their order."""
    position, job_id, incarnation, version, kind, schema_version, data, actor, request_id, key, epoch, at = row[
        :12
    ]
    return Recorded(
        position=Position(position),
        job_id=JobId(job_id or ""),
        incarnation=incarnation or 0,
        version=version or 0,
        event=decode_event(kind, schema_version, data),
        type=kind,
        schema_version=schema_version,
        actor=actor,
        request_id=request_id,
        idempotency_key=key,
        epoch=None if epoch is None else Epoch(epoch),
        recorded_at=at,
    )


def loop_values(job: Job, left_out: Sequence[Recorded], mark: int) -> list[Values]:
    """The rows of what is left out of the log about `job`."""
    first = job.left_out - len(left_out) + 1
    return [
        {
            "job_id": job.job_id,
            "number": number,
            "incarnation": job.incarnation,
            "version": job.version,
            "position": job.position,
            "type": one.type,
            "schema_version": one.schema_version,
            "data": encode_event(one.event),
            "actor": one.actor,
            "epoch": one.epoch,
            "recorded_at": one.recorded_at,
            "mark": mark,
        }
        for number, one in enumerate(left_out, first)
    ]


def left_out_of(row: Sequence[Any]) -> tuple[int, Recorded]:
    """A row with the columns of `loop_event`, in their order: its number, and the event."""
    job_id, number, incarnation, version, position, kind, schema_version, data, actor, epoch, at, _mark = row
    recorded = recorded_of(
        (position, job_id, incarnation, version, kind, schema_version, data, actor, "", None, epoch, at)
    )
    return number, recorded


MEND_LOG = (
    "run `modelbox-server db verify` to see all that is wrong, and restore a backup: `modelbox-server db restore`"
)
MEND_JOBS = (
    "run `modelbox-server db verify` to see all that is wrong, and `modelbox-server db rebuild`, which writes the"
    " rows of jobs anew from the event log"
)
JSON_COLUMNS = ("last_exit", "stalled", "options", "endpoints", "changes", "orders")
"""Columns of `job` that hold JSON text."""


def job_values(job: Job) -> Values:
    """The row of `job`; its times are still datetimes."""
    engine = job.engine
    return {
        "job_id": job.job_id,
        "incarnation": job.incarnation,
        "version": job.version,
        "position": job.position,
        "graph_digest": job.graph_digest,
        "origin": job.origin,
        "file_digest": job.file_digest,
        "created_at": job.created_at,
        "changed_at": job.changed_at,
        "status": job.status.value,
        "desired": job.desired.value,
        "actual": job.actual.value,
        "outcome": job.outcome.value,
        "error": job.error,
        "attempt": job.attempt,
        "failures": job.failures,
        "rounds": job.rounds,
        "in_interval": job.in_interval,
        "interval_began": job.interval_began,
        "retry_at": job.retry_at,
        "ready_at": job.ready_at,
        "ever_ready": job.ever_ready,
        "last_exit": None if job.last_exit is None else msgspec.json.encode(job.last_exit).decode(),
        "stalled": None if job.stalled is None else msgspec.json.encode(job.stalled).decode(),
        "stalls": job.stalls,
        "engine_pid": engine.pid if engine else None,
        "engine_start_time": engine.start_time if engine else None,
        "engine_boot_id": engine.boot_id if engine else None,
        "engine_host": engine.host if engine else None,
        "engine_run_dir": engine.run_dir if engine else None,
        "options": _options_text(job.options),
        "endpoints": msgspec.json.encode(job.endpoints).decode() if job.endpoints else "[]",
        "revision": job.revision,
        "changes": "{}" if job.changes == NO_CHANGES else msgspec.json.encode(job.changes).decode(),
        "orders": "{}" if job.orders == NO_ORDERS else msgspec.json.encode(job.orders).decode(),
        "generation": job.generation,
        "left_out": job.left_out,
        "checksum": job_checksum(job),
    }


def job_of(row: Sequence[Any]) -> Job:
    """A job from a row with the columns of `job`, in their order.

    Raises: Damaged, when its checksum is not that of what it says.
    """
    try:
        job = _job_of(row)
        is_whole = (row[9], row[-1]) == (job.status.value, job_checksum(job))
    except (KeyError, ValueError, TypeError, AttributeError, msgspec.MsgspecError):
        is_whole = False
    if not is_whole:
        raise Damaged(f"the row of job {row[0]} in table job is damaged: {MEND_JOBS}")
    return job


def _job_of(row: Sequence[Any]) -> Job:
    job_id, incarnation, version, position, graph_digest, origin, file_digest, created_at, changed_at = row[:9]
    _status, desired, actual, outcome, error, attempt, failures, rounds, in_interval, interval_began = row[9:19]
    retry_at, ready_at, ever_ready, last_exit, stalled, stalls = row[19:25]
    pid, start_time, boot_id, host, run_dir, options, endpoints, revision, changes = row[25:34]
    orders, generation, left_out, _checksum = row[34:]
    return Job(
        job_id=job_id,
        incarnation=incarnation,
        version=version,
        position=position,
        graph_digest=graph_digest,
        origin=origin,
        file_digest=file_digest,
        created_at=created_at,
        changed_at=changed_at,
        desired=DESIRED[desired],
        actual=ACTUAL[actual],
        outcome=OUTCOME[outcome],
        error=error,
        attempt=attempt,
        failures=failures,
        rounds=rounds,
        in_interval=in_interval,
        interval_began=interval_began,
        retry_at=retry_at,
        ready_at=ready_at,
        ever_ready=bool(ever_ready),
        last_exit=None if last_exit is None else msgspec.json.decode(last_exit, type=LastExit),
        stalls=stalls,
        stalled=None if stalled is None else msgspec.json.decode(stalled, type=Stall),
        engine=None if pid is None else EngineIdentity(pid, start_time, boot_id, host, run_dir),
        options=NO_OPTIONS if options == "{}" else msgspec.json.decode(options, type=JobOptions),
        endpoints=() if endpoints == "[]" else msgspec.json.decode(endpoints, type=tuple[str, ...]),
        revision=revision,
        changes=NO_CHANGES if changes == "{}" else msgspec.json.decode(changes, type=Changes),
        orders=NO_ORDERS if orders == "{}" else msgspec.json.decode(orders, type=Orders),
        generation=generation,
        left_out=left_out,
    )


def _options_text(options: JobOptions) -> str:
    return "{}" if options == NO_OPTIONS else msgspec.json.encode(options).decode()


def graph_values(graph: Graph, at: datetime) -> Values:
    """The row of `graph`. A source that no database takes is kept in Python's escapes, with `escaped` set: it
    must come back exactly, or its digest would not match."""
    escaped = not is_storable(graph.source)
    return {
        "digest": graph.digest,
        "format": clean_text(graph.format),
        "source": graph.source.encode("unicode_escape").decode("ascii") if escaped else graph.source,
        "escaped": escaped,
        **plan_values(graph.plan),
        "created_at": at,
    }


def plan_values(plan: str | None) -> Values:
    """The columns of a graph's compiled form."""
    text = None if plan is None else clean_text(plan)
    return {"plan": text, "plan_checksum": None if text is None else text_checksum(text)}


def graph_of(row: Sequence[Any]) -> Graph:
    """A graph from a row of digest, format, source, escaped, plan, plan_checksum. A damaged plan is left out: the
    next engine compiles the graph anew.

    Raises: Damaged, when the source is not what it was.
    """
    digest, graph_format, source, escaped, plan, plan_checksum = row
    if escaped:
        source = source.encode("ascii").decode("unicode_escape")
    if digest_of(graph_format, source) != digest:
        raise Damaged(f"graph {digest} in table graph is damaged: {MEND_LOG}")
    is_whole = plan is not None and text_checksum(plan) == plan_checksum
    return Graph(Digest(digest), graph_format, source, plan if is_whole else None)
