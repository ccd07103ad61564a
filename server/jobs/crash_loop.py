"""Which rounds of a job that ends again and again, and which of many stalls, are written to the log.

A round is one attempt: started, ready, perhaps stalled, ended. The first rounds in a row are logged, then those
whose number is a power of two. The events of the others are *left out*: they change the job like any event, and
stand beside the log, at most one round and a sum of the rounds before it. Whatever else happens to the job brings
them into the log first, so that it never tells of an attempt whose beginning it did not tell. Of the stalls of one
attempt, those of the same numbers are logged.
"""

from collections.abc import Sequence

import msgspec

from server.jobs import events as e
from server.jobs.state import Job, fold

FIRST_ROUNDS = 8

replace = msgspec.structs.replace


def is_logged(rounds: int) -> bool:
    """Whether the round of that number, from 1, stands in the log."""
    return rounds <= FIRST_ROUNDS or rounds & (rounds - 1) == 0


def is_left_out(job: Job, left_out: Sequence[e.Recorded], event: e.Event) -> bool:
    """Whether `event`, the next one of `job`, stays out of the log. `left_out`: what was, since its last event."""
    match event:
        case e.EngineStarted():
            return not is_logged(job.rounds + 1)
        case e.EngineReady():
            return bool(left_out) and isinstance(left_out[-1].event, e.EngineStarted)
        case e.FlowStalled():
            in_a_round = bool(left_out) and isinstance(left_out[-1].event, e.EngineReady)
            return in_a_round or not is_logged(event.number)
        case e.FlowRecovered():
            return bool(left_out) and isinstance(left_out[-1].event, e.FlowStalled)
        case e.EngineFailed() | e.EngineExited() | e.FlowSucceeded():
            goes_on = event.retry_at is not None and event.rounds == job.rounds + 1
            return goes_on and any(isinstance(one.event, e.EngineStarted) for one in left_out)
    return False


def fold_left_out(job: Job, recorded: e.Recorded, number: int) -> Job:
    """The job after an event that stays out of the log, the `number`th since its last one."""
    after = fold(job, replace(recorded, position=job.position, version=job.version))
    assert after is not None
    return replace(after, left_out=number)


def leave_out(
    job: Job, left_out: Sequence[e.Recorded], recorded: e.Recorded
) -> tuple[Job, tuple[e.Recorded, ...]]:
    """The job after `recorded`, and all that is left out by then: the end of a round is added to the sum."""
    after = fold_left_out(job, recorded, job.left_out + 1)
    if isinstance(recorded.event, e.EngineStarted | e.EngineReady | e.FlowStalled):
        return after, (*left_out, recorded)
    if isinstance(recorded.event, e.FlowRecovered):
        # of the stalls that are over, the last one's end is all that is left
        others = (one for one in left_out if not isinstance(one.event, e.FlowStalled | e.FlowRecovered))
        return after, (*others, recorded)
    total = _sum(after, left_out, recorded)
    return after, (replace(recorded, event=total, type=total.type, schema_version=total.schema_version),)


def _sum(after: Job, left_out: Sequence[e.Recorded], end: e.Recorded) -> e.AttemptsSummedUp:
    """What was left out and `end` as one event that does the same to the job."""
    started = next(one for one in left_out if isinstance(one.event, e.EngineStarted))
    ready_at = next((one.recorded_at for one in left_out if isinstance(one.event, e.EngineReady)), None)
    seconds = 0.0 if ready_at is None else max((end.recorded_at - ready_at).total_seconds(), 0.0)
    total = e.AttemptsSummedUp(
        first_attempt=after.attempt,
        attempt=after.attempt,
        attempts=1,
        began_at=started.recorded_at,
        seconds_running=seconds,
        how=HOW[end.type],
        error=after.error,
        failures=after.failures,
        rounds=after.rounds,
        in_interval=after.in_interval,
        interval_began=after.interval_began,
        ever_ready=after.ever_ready,
        last_exit=after.last_exit,
        retry_at=after.retry_at,
    )
    match left_out[0].event:
        case e.AttemptsSummedUp() as before:
            return replace(
                total,
                first_attempt=before.first_attempt,
                attempts=before.attempts + 1,
                began_at=before.began_at,
                seconds_running=round(before.seconds_running + seconds, 6),
            )
    return total


HOW = {
    e.EngineFailed.type: "failed",
    e.EngineExited.type: "exited",
    e.FlowSucceeded.type: "succeeded",
}
