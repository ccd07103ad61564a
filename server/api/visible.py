"""Which jobs exist for who is limited to jobs with certain labels.

What happened belongs to one life of a job, an id and its incarnation: it is visible if the labels that it has, or
had last, are in the scope.
"""

from server.jobs.access import Labels, covers
from server.jobs.ids import Epoch, JobId
from server.jobs.state import Job
from server.store.follower import Follower
from server.store.history import History

KEPT = 10_000
"""Lives that are over, whose labels are kept in memory."""

Life = tuple[Epoch, JobId, int]
"""With the log's fence: after a backup was restored, the same numbers may be those of other jobs."""


class VisibleJobs:
    """Methods that are awaited may raise StoreUnavailable."""

    def __init__(self, follower: Follower, history: History) -> None:
        self._follower = follower
        self._history = history
        self._over: dict[Life, Labels] = {}

    async def is_visible(self, job_id: JobId, scope: Labels) -> bool:
        """Whether the newest job of that id is, be it alive or not."""
        if not self._follower.is_current():
            await self._follower.catch_up()
        job = self._follower.jobs.get(job_id)
        if job is not None:
            return in_scope(job, scope)
        found = await self._history.last_labels(job_id, None)
        return found is not None and covers(scope, found[0])

    async def is_life_visible(self, job_id: JobId, incarnation: int, scope: Labels) -> bool:
        job = self._follower.jobs.get(job_id)
        if job is not None and job.incarnation == incarnation:
            return in_scope(job, scope)
        life = self._follower.fence, job_id, incarnation
        if life not in self._over:
            found = await self._history.last_labels(job_id, incarnation)
            if found is None:
                return False
            labels, is_over = found
            if not is_over:  # it is younger than what is known here, and may get others
                return covers(scope, labels)
            self._keep(life, labels)
        return covers(scope, self._over[life])

    def _keep(self, life: Life, labels: Labels) -> None:
        if len(self._over) >= KEPT:
            self._over.pop(next(iter(self._over)))
        self._over[life] = labels


def in_scope(job: Job, scope: Labels) -> bool:
    return covers(scope, job.options.labels)
