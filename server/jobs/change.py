"""Giving a job another graph or other options."""

from typing import Any

import msgspec

from server.jobs import events as e
from server.jobs.errors import ChangeUnderWay, InvalidCommand, NoSuchJob, Place
from server.jobs.graph import Graph
from server.jobs.ids import JobId
from server.jobs.labels import complaint
from server.jobs.limits import NO_LIMITS, Limits
from server.jobs.options import JobOptions, RestartPolicy
from server.jobs.state import Job
from server.jobs.versions import needs_engine
from server.jobs.words import Actual, Desired

POLICY = RestartPolicy()


class OptionsPatch(msgspec.Struct, frozen=True, kw_only=True):
    """What of the options is to be different, merged into them as RFC 7396 says; null takes one away. `restart`
    and `limits` have the values of what is left out in there, as for a create."""

    patch: dict[str, Any]
    restart: RestartPolicy = POLICY
    limits: Limits = NO_LIMITS

    def applied_to(self, options: JobOptions) -> JobOptions:
        """Raises: InvalidCommand, saying which option."""
        after = merged(msgspec.to_builtins(options), self.patch)
        for name, default in (("restart", self.restart), ("limits", self.limits)):
            given = after.get(name)
            if isinstance(self.patch.get(name), dict) and isinstance(given, dict):
                after[name] = {**msgspec.to_builtins(default), **given}
        return options_of(after)


class ChangeJob(msgspec.Struct, frozen=True, kw_only=True):
    """What is None stays as it is. `expected`: refused when the job is at another version by now, 0 for whichever;
    `back_to`: which earlier version this has the content of, 0 when none."""

    job_id: JobId
    graph: Graph | None = None
    options: OptionsPatch | JobOptions | None = None
    expected: int = 0
    back_to: int = 0


def decide_change(job: Job | None, command: ChangeJob) -> tuple[e.Event, ...]:
    """The events; none when the job is like that already. Raises: NoSuchJob, ChangeUnderWay, InvalidCommand."""
    if job is None or job.desired is Desired.DELETED:
        raise NoSuchJob
    changes = job.changes
    if changes.pending is not None:
        raise ChangeUnderWay(f"version {changes.pending.revision} is being tried; wait for what comes of it")
    if changes.takes_over:
        raise ChangeUnderWay(f"version {job.revision} is just taking over; try again")
    if command.expected and command.expected != job.revision:
        raise ChangeUnderWay(
            f"it is at version {job.revision} by now, not at {command.expected}; look at it again"
        )
    digest = job.graph_digest if command.graph is None else command.graph.digest
    options = _options_after(job, command)
    if (digest, options) == (job.graph_digest, job.options):
        return ()
    revision = changes.newest + 1
    requested = e.ChangeRequested(
        revision=revision,
        graph_digest=digest,
        options=options,
        file_digest=job.file_digest,  # whatever a client makes of it, it is still that file's job
        back_to=command.back_to,
    )
    is_noticed = digest != job.graph_digest or needs_engine(job.options, options)
    if is_noticed and job.actual is not Actual.NONE:
        return (requested,)
    return requested, e.ChangeApplied(revision=revision)


def _options_after(job: Job, command: ChangeJob) -> JobOptions:
    match command.options:
        case None:
            return job.options
        case OptionsPatch() as patch:
            return patch.applied_to(job.options)
        case options:
            return options


def options_of(given: object) -> JobOptions:
    """Raises: InvalidCommand, saying which option."""
    try:
        return msgspec.convert(given, JobOptions)
    except msgspec.ValidationError as error:
        if wrong := complaint(given.get("labels") if isinstance(given, dict) else None):
            raise InvalidCommand(f"options.labels: {wrong}", Place(field="options.labels")) from error
        what, _, where = str(error).partition(" - at `$")
        place = f"options{where.rstrip('`')}"
        reason = f"{what[0].lower()}{what[1:].replace('`', '')}"
        raise InvalidCommand(f"{place}: {reason}", Place(field=place)) from error


def merged(before: Any, patch: dict[str, Any]) -> dict[str, Any]:
    """RFC 7396. Bounded by the depth that the JSON parser lets through."""
    after = dict(before) if isinstance(before, dict) else {}
    for name, value in patch.items():
        if value is None:
            after.pop(name, None)
        elif isinstance(value, dict):
            after[name] = merged(after.get(name), value)
        else:
            after[name] = value
    return after
