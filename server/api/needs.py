"""What a request needs, found by its method and path."""

from collections.abc import Iterable
from urllib.parse import unquote

import msgspec
from sanic import Request

from server.api.endpoint import JOB, VALIDATE, Endpoint
from server.api.modelbox import DESCRIBED, Described
from server.api.rights import Need, Right, Scoped, default_need
from server.jobs.ids import JobId

ONE_JOB = JOB.removesuffix("/")
BASE = ONE_JOB.removesuffix("/{job_id}")
JOBS = f"{BASE}s"
LIST_ALL = f"{BASE}/list/all"
NOWHERE = Need(Right.READ, Scoped.NO_JOBS)
"""For a path that is nobody's: who may not even read is not told so."""


class Asked(msgspec.Struct, frozen=True):
    """`job_id` is that of the path, where it has one."""

    need: Need
    job_id: JobId | None = None


class Needs:
    def __init__(self, endpoints: Iterable[Endpoint | Described]) -> None:
        self._by_route = {(one.method, one.path): one.need for one in endpoints}

    def of(self, request: Request) -> Asked:
        if request.route is None:
            return Asked(NOWHERE)
        method = "GET" if request.method == "HEAD" else request.method
        path = f"/{request.route.path}"
        if not path.startswith(BASE) or path == JOBS:
            return Asked(self._need(method, path))
        rest: str = request.match_info.get("rest", "")
        # split first and decoded then, as the handlers do
        segments = [unquote(segment) for segment in rest.split("/")]
        path = self._path_below_jobs(method, segments)
        return Asked(self._need(method, path), JobId(segments[0]) if "{job_id}" in path else None)

    def _path_below_jobs(self, method: str, segments: list[str]) -> str:
        """As the description writes it."""
        if method == "POST" and segments == [VALIDATE]:
            return f"{BASE}/{VALIDATE}"
        if method == "GET" and segments == ["list", "all"]:
            return LIST_ALL
        job_id, *words = segments
        if len(words) == 1 and (method, f"{JOB}{words[0]}") in self._by_route:
            return f"{JOB}{words[0]}"
        # a create is one whatever its path goes on with
        return BASE if method in ("PUT", "POST") or not job_id else ONE_JOB

    def _need(self, method: str, path: str) -> Need:
        need = self._by_route.get((method, path)) or default_need(method, path)
        return NOWHERE if path == BASE and need.scoped is Scoped.CLOSED else need


def all_needs(endpoints: Iterable[Endpoint]) -> Needs:
    return Needs([*DESCRIBED, *endpoints])
