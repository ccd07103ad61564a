"""When an engine that ended is tried again."""

from datetime import datetime, timedelta

import msgspec

from server.jobs.options import Restart, RestartPolicy
from server.jobs.state import Job
from server.jobs.words import Actual


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """What follows on an end; `at` is None when there is no next try. The counts include this end:
    `failures` in a row, those of them `in_interval` since `interval_began`, and `rounds`, good ends too."""

    at: datetime | None
    rounds: int
    failures: int = 0
    in_interval: int = 0
    interval_began: datetime | None = None


STARTS_WITHOUT_SUCCESS = 3
"""How often a flow that never became ready may take its engine's process down before it is given up."""


STALL_MARGIN = 1.5
"""A flow is looked at every third of the time after which it counts as stalled."""


def policy_of(job: Job, default: RestartPolicy) -> RestartPolicy:
    """The job's own policy, else the configuration's."""
    return job.options.restart or default


def stall_after_of(job: Job, default: float) -> float:
    """Seconds without progress after which the job's flow stalls; 0 for never."""
    return default if job.options.stall_after is None else job.options.stall_after


def ends_stalls(policy: RestartPolicy) -> bool:
    """Whether an engine whose flow stalls is ended, for another one to be started."""
    return policy.on_stall and policy.policy is not Restart.NEVER


def next_restart(
    policy: RestartPolicy, job: Job, now: datetime, *, flow_at_fault: bool, chance: float = 0.0
) -> Retry:
    """What follows on a failure of `job`'s engine at `now`.

    `flow_at_fault`: the flow itself said that it failed, and not its process that ended without a word. Such a
    flow is not tried again when it never became ready, whatever the policy: ModelBox's users expect the FAILED job
    with the reason (spec 8.3). `chance`, from 0 to 1: how much of the policy's jitter this delay is shortened by.
    """
    healthy = _ran_well(policy, job, now)
    in_interval, began = 1, now
    if not healthy and job.interval_began is not None and _is_within(policy.interval, job.interval_began, now):
        in_interval, began = job.in_interval + 1, job.interval_began
    retry = Retry(
        at=None,
        rounds=1 if healthy else job.rounds + 1,
        failures=1 if healthy else job.failures + 1,
        in_interval=in_interval,
        interval_began=began,
    )
    if policy.policy is Restart.NEVER or (policy.attempts and in_interval > policy.attempts):
        return retry
    if not job.ever_ready and (flow_at_fault or retry.failures >= STARTS_WITHOUT_SUCCESS):
        return retry
    # 2**20 is over any cap; a larger exponent would overflow the float in a crash loop
    delay = min(policy.delay * 2.0 ** min(retry.failures - 1, 20), policy.delay_max)
    delay *= 1 - policy.jitter * chance
    return msgspec.structs.replace(retry, at=now + timedelta(seconds=delay))


def after_success(policy: RestartPolicy, job: Job, now: datetime) -> Retry:
    """What follows when the flow has come to its end: once more, if the policy is to run it always."""
    rounds = 1 if _ran_well(policy, job, now) else job.rounds + 1
    again = policy.policy is Restart.ALWAYS
    return Retry(at=now + timedelta(seconds=policy.delay) if again else None, rounds=rounds)


def healthy_at(policy: RestartPolicy, job: Job, stall_after: float = 0.0) -> datetime | None:
    """When the running engine will have run well for so long that the ends before it count no more; None when
    there is nothing to forget, or nothing that runs well."""
    runs_well = job.actual is Actual.READY and job.stalled is None
    if not runs_well or job.ready_at is None or not (job.rounds or job.failures):
        return None
    return job.ready_at + timedelta(seconds=healthy_after(policy, stall_after))


def healthy_after(policy: RestartPolicy, stall_after: float) -> float:
    """Seconds of running after which a flow is known to run well. One that is to be ended when it stalls may have
    stalled already, as long as its stall could not be told."""
    return max(policy.healthy_after, stall_after * STALL_MARGIN) if policy.on_stall else policy.healthy_after


def _ran_well(policy: RestartPolicy, job: Job, now: datetime) -> bool:
    until = job.stalled.since if job.stalled is not None else now
    return job.ready_at is not None and (until - job.ready_at).total_seconds() >= policy.healthy_after


def _is_within(interval: float, began: datetime, now: datetime) -> bool:
    """Whether `now` belongs to the interval that began then. Of no interval, it does. A clock that was set back
    begins a new one."""
    return interval == 0 or 0 <= (now - began).total_seconds() < interval
