"""The jobs as the API shows them: the projection, held in memory and checked against its head at each request.

The check costs microseconds on SQLite, so that an answer from memory is still as true as one from the table.
"""

from collections.abc import Mapping

from server.api.answers import SECURITY_HEADERS, job_body, job_list_body
from server.api.visible import in_scope
from server.jobs.access import EVERYTHING, Labels
from server.jobs.condition import etag_of
from server.jobs.ids import JobId
from server.jobs.state import Job
from server.store.follower import Follower


class JobsView:
    def __init__(self, follower: Follower) -> None:
        self._follower = follower
        self._bodies: dict[JobId, bytes] = {}
        self._headers: dict[JobId, Mapping[str, str]] = {}
        self._list: bytes | None = None
        follower.subscribe(self._forget)

    def _forget(self, changed: set[JobId]) -> None:
        self._list = None
        for job_id in changed:
            self._bodies.pop(job_id, None)
            self._headers.pop(job_id, None)

    async def status(self, job_id: JobId) -> tuple[bytes, Mapping[str, str]] | None:
        """The status answer for a job and its headers; None when there is none of that id.

        Raises: StoreUnavailable.
        """
        await self._catch_up()
        body = self._body(job_id)
        return None if body is None else (body, self._headers_of(job_id))

    def headers_of(self, job: Job) -> dict[str, str]:
        """What an answer about `job` says in its head. The tag stays while the status changes, so that nobody may
        take it for a sign that a status is still true."""
        return {"ETag": etag_of(job, self._follower.fence), "Cache-Control": "no-store"}

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

    def _headers_of(self, job_id: JobId) -> Mapping[str, str]:
        headers = self._headers.get(job_id)
        if headers is None:
            own = self.headers_of(self._follower.jobs[job_id])
            headers = self._headers[job_id] = {**SECURITY_HEADERS, **own}
        return headers

    def _body(self, job_id: JobId) -> bytes | None:
        body = self._bodies.get(job_id)
        if body is None:
            job = self._follower.jobs.get(job_id)
            if job is None:
                return None
            body = self._bodies[job_id] = job_body(job)
        return body
