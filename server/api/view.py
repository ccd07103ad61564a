"""The jobs as the API shows them: the projection, held in memory and checked against its head at each request.

The check costs microseconds on SQLite, so that an answer from memory is still as true as one from the table.
"""

from server.api.answers import job_body, job_list_body
from server.api.visible import in_scope
from server.jobs.access import EVERYTHING, Labels
from server.jobs.ids import JobId
from server.jobs.state import Job
from server.store.follower import Follower


class JobsView:
    def __init__(self, follower: Follower) -> None:
        self._follower = follower
        self._bodies: dict[JobId, bytes] = {}
        self._list: bytes | None = None
        follower.subscribe(self._forget)

    def _forget(self, changed: set[JobId]) -> None:
        self._list = None
        for job_id in changed:
            self._bodies.pop(job_id, None)

    async def status(self, job_id: JobId) -> bytes | None:
        """The status answer for a job; None when there is none of that id.

        Raises: StoreUnavailable.
        """
        await self._catch_up()
        return self._body(job_id)

    async def list_all(self, scope: Labels = EVERYTHING) -> bytes:
        """The answer that lists all jobs, oldest first. Raises: StoreUnavailable."""
        await self._catch_up()
        if scope:
            return self._listed([job for job in self._follower.jobs.values() if in_scope(job, scope)])
        if self._list is None:
            self._list = self._listed(list(self._follower.jobs.values()))
        return self._list

    def _listed(self, jobs: list[Job]) -> bytes:
        jobs.sort(key=lambda job: job.created_at)
        return job_list_body([self._body(job.job_id) or b"" for job in jobs])

    async def _catch_up(self) -> None:
        if not self._follower.is_current():
            await self._follower.catch_up()

    def _body(self, job_id: JobId) -> bytes | None:
        body = self._bodies.get(job_id)
        if body is None:
            job = self._follower.jobs.get(job_id)
            if job is None:
                return None
            body = self._bodies[job_id] = job_body(job)
        return body
