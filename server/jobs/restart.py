"""When an engine that ended is tried again."""

from datetime import datetime, timedelta

import msgspec

from server.jobs.options import Restart, RestartPolicy
from server.jobs.state import Job


class Retry(msgspec.Struct, frozen=True):
    """`failures` in a row, the newest included; `at` is None when there is no next try."""

    failures: int
    at: datetime | None


STARTS_WITHOUT_SUCCESS = 3
"""How often a flow that never became ready may take its engine's process down before it is given up."""


def next_restart(policy: RestartPolicy, job: Job, now: datetime, *, flow_at_fault: bool) -> Retry:
    """What follows on a failure of `job`'s engine at `now`.

    `flow_at_fault`: the flow itself said that it failed, and not its process that ended without a word. Such a
    flow is not tried again when it never became ready, whatever the policy: ModelBox's users expect the FAILED job
    with the reason (spec 8.3).
    """
    healthy = job.ready_at is not None and (now - job.ready_at).total_seconds() >= policy.healthy_after
    failures = 1 if healthy else job.failures + 1
    if policy.policy is Restart.NEVER or (policy.attempts and failures > policy.attempts):
        return Retry(failures, None)
    if not job.ever_ready and (flow_at_fault or failures >= STARTS_WITHOUT_SUCCESS):
        return Retry(failures, None)
    # 2**20 is over any cap; a larger exponent would overflow the float in a crash loop
    delay = min(policy.delay * 2.0 ** min(failures - 1, 20), policy.delay_max)
    return Retry(failures, now + timedelta(seconds=delay))


def restart_after_success(policy: RestartPolicy, now: datetime) -> datetime | None:
    """When a flow that came to its end runs once more; None for never."""
    return now + timedelta(seconds=policy.delay) if policy.policy is Restart.ALWAYS else None
