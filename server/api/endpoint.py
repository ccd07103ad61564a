"""An endpoint of ours: a handler, where it stands, and what its types say about it.

A handler is `async def name(request, path?, query?) -> Body`: `query` is a struct, checked before it is called;
`path` one whose `job_id` is the id in the path; Body a struct, an OtherBody, or a union of them. A body whose
class has `http_status` is sent with that, others with 200.
"""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ClassVar, get_args, get_type_hints

import msgspec
from sanic import HTTPResponse, Request

from server.api.answers import answer
from server.api.parameters import NoParameters, query_of
from server.api.rights import Need, Right, Scoped, need
from server.jobs.ids import JobId

JOB = "/v1/modelbox/job/{job_id}/"
"""What the paths of endpoints about one job begin with; one word follows."""

VALIDATE = "validate"
"""In the place of an id, in a POST: no job, but what looks at one that is not there yet."""


class JobPath(msgspec.Struct, frozen=True):
    job_id: JobId


Handler = Callable[..., Coroutine[Any, Any, HTTPResponse | None]]
"""As Sanic calls it."""


class OtherBody(ABC):
    """A body that is no struct. Its docstring describes it."""

    media_type: ClassVar[str]
    schema: ClassVar[dict[str, Any]]

    @abstractmethod
    async def send(self, request: Request) -> HTTPResponse | None:
        """The response to send; None when it has been sent already."""


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """`errors` are the statuses, beside 400 for bad parameters and 503, that it answers with an error body.
    `right` and `scoped` say who may use it, see rights.py; None: what is usual for its method and path."""

    method: str
    path: str
    handler: Callable[..., Awaitable[Any]]
    tag: str
    errors: tuple[int, ...] = ()
    right: Right | None = None
    scoped: Scoped | None = None

    @property
    def need(self) -> Need:
        return need(self.method, self.path, self.right, self.scoped)

    @property
    def name(self) -> str:
        return str(getattr(self.handler, "__name__", ""))

    @property
    def docstring(self) -> str:
        return inspect.getdoc(self.handler) or ""

    @property
    def path_type(self) -> type[msgspec.Struct]:
        return self._type_of("path")

    @property
    def query_type(self) -> type[msgspec.Struct]:
        return self._type_of("query")

    @property
    def answer_types(self) -> tuple[Any, ...]:
        result = get_type_hints(self.handler)["return"]
        return get_args(result) or (result,)

    @property
    def word(self) -> str:
        """The word behind a job's id in the path; empty when the path is of another kind."""
        return self.path.removeprefix(JOB) if self.path.startswith(JOB) else ""

    def on_the_wire(self) -> Handler:
        hints = get_type_hints(self.handler)
        query_type = hints.get("query")
        takes_path = "path" in hints

        async def handle(request: Request, job_id: str = "") -> HTTPResponse | None:
            arguments: dict[str, Any] = {}
            if takes_path:
                arguments["path"] = JobPath(JobId(job_id))
            query = query_of(request, query_type or NoParameters)
            if query_type is not None:
                arguments["query"] = query
            body = await self.handler(request, **arguments)
            if isinstance(body, OtherBody):
                return await body.send(request)
            return answer(getattr(type(body), "http_status", 200), msgspec.json.encode(body))

        return handle

    def _type_of(self, parameter: str) -> type[msgspec.Struct]:
        kind: type[msgspec.Struct] = get_type_hints(self.handler).get(parameter, NoParameters)
        return kind
