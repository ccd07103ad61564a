"""What happened, in a sentence, with its reason: for people who read a job's history."""

from datetime import datetime

from server.jobs import events as e


def sentence_of(recorded: e.Recorded) -> str:
    """Such as: attempt 2 ended by signal 11, next try at 2026-03-02T08:31:00Z: the engine was ended by SIGSEGV.
    The view job_history has the same words, as `what` and `why`."""
    event = recorded.event
    reason = getattr(event, "error", "") or getattr(event, "reason", "")
    what = _what(event, recorded)
    return f"{what}: {reason}" if reason else what


def _what(event: e.Event, recorded: e.Recorded) -> str:
    match event:
        case e.LeaderElected():
            return f"the runner with pid {event.pid} on {event.host} leads, epoch {recorded.epoch}"
        case e.BackupRestored():
            return f"all of this came from a backup, restored on {event.host}; what followed it is given up"
        case e.LossAccepted(known_position=known):
            return f"the loss of events up to position {known} was accepted on {event.host}"
        case e.EventsArchived():
            return f"{event.events} events of {event.jobs} deleted jobs went into the archive {event.file}"
        case e.InArchive(from_position=begin, to_position=end):
            return f"{event.events} events, position {begin} to {end}, are in the archive {event.file}"
        case e.JobCreated():
            return "created from its file" if event.origin == "file" else "created over REST"
        case e.ChangeRequested(revision=revision, back_to=0):
            return f"change to version {revision} requested"
        case e.ChangeRequested(revision=revision):
            return f"roll back to version {event.back_to} requested, as version {revision}"
        case e.ChangeApplied(attempt=None):
            return f"is at version {event.revision}"
        case e.ChangeApplied(revision=revision):
            return f"is at version {revision}, with attempt {event.attempt}"
        case e.ChangeFailed(revision=revision):
            return f"version {revision} came to nothing"
        case e.DeleteRequested():
            return f"delete requested{_by_force(event.grace)}"
        case e.StopRequested():
            return f"stop requested{_by_force(event.grace)}"
        case e.StartRequested():
            return "start requested"
        case e.RestartRequested():
            return f"restart requested{_by_force(event.grace)}"
        case e.JobDeleted():
            return "deleted"
        case e.AttemptsSummedUp():
            return (
                f"{event.attempts} attempts more, up to attempt {event.attempt}, the last one {event.how},"
                f" next try at {_at(event.retry_at)}"
            )
    attempt = getattr(event, "attempt", None)
    return recorded.type if attempt is None else f"attempt {attempt} {_of_attempt(event)}"


def _by_force(grace: float | None) -> str:
    return ", by force" if grace == 0 else ""


def _of_attempt(event: e.Event) -> str:
    match event:
        case e.EngineStarted():
            return f"started: pid {event.engine.pid} on {event.engine.host}"
        case e.SuccessorStarted():
            return f"started, to take over: pid {event.engine.pid} on {event.engine.host}"
        case e.EngineReady():
            return "is ready"
        case e.EngineAdopted():
            return "taken over by a new leader"
        case e.EngineUnreachable():
            return "does not answer"
        case e.EngineHealthy():
            return "runs well: failures count anew"
        case e.EngineFailed():
            return f"failed, {_next_try(event.retry_at)}"
        case e.EngineExited():
            return f"ended {_end(event)}, {_next_try(event.retry_at)}"
        case e.EngineLost():
            return "was found gone"
        case e.EngineStopped():
            return "was stopped"
        case e.FlowStalled():
            return "makes no progress"
        case e.FlowRecovered():
            return "goes on"
        case e.FlowSucceeded():
            return "succeeded"
    return f"had {event.type}"


def _end(event: e.EngineExited) -> str:
    if event.signal is not None:
        return f"by signal {event.signal}"
    return "unseen" if event.exit_code is None else f"with exit code {event.exit_code}"


def _next_try(retry_at: datetime | None) -> str:
    return "for good" if retry_at is None else f"next try at {_at(retry_at)}"


def _at(moment: datetime | None) -> str:
    return "an unknown time" if moment is None else moment.isoformat().replace("+00:00", "Z")
