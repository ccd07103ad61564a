"""On which state of a job a command is to be carried out: what `If-Match` and `If-None-Match` say. Pure."""

import msgspec

from server.jobs.errors import ConditionFailed, Place
from server.jobs.ids import Epoch
from server.jobs.state import Job

ANY = "*"


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """`matches`: tags of which the job must have one, or `*` for any job; None: whatever there is. `must_be_new`:
    there must be no job."""

    matches: tuple[str, ...] | None = None
    must_be_new: bool = False


NO_CONDITION = Condition()


def etag_of(job: Job, fence: Epoch) -> str:
    """The same until somebody commands something of the job, quotes included. `fence`: that of the log."""
    own = f"{job.incarnation}-{job.generation}"
    return f'"{fence}-{own}"' if fence else f'"{own}"'


def check_condition(job: Job | None, condition: Condition, fence: Epoch) -> None:
    """Raises: ConditionFailed."""
    if condition.must_be_new and job is not None:
        raise ConditionFailed(f"there is a job {job.job_id} already", Place(field="If-None-Match"))
    if condition.matches is None:
        return
    if job is None:
        raise ConditionFailed("there is no such job", Place(field="If-Match"))
    tag = etag_of(job, fence)
    if ANY not in condition.matches and tag not in condition.matches:
        raise ConditionFailed(
            f"job {job.job_id} is at {tag}: somebody has changed it; look at it again", Place(field="If-Match")
        )
