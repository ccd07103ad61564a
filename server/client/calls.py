"""Requests as values: what is asked, and what the answer means. The clients differ only in how they send them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Self, TypeVar
from urllib.parse import quote
from uuid import uuid4

import httpx
import msgspec

from server.client.errors import bad_answer, error_of
from server.jobs.words import JobStatus
from server.wire.bodies import JobBody, JobListBody
from server.wire.entries import EventPage, HistoryPage
from server.wire.full_status import FullStatus
from server.wire.graphs import GraphFormat
from server.wire.health import Readiness, Version
from server.wire.job_rows import JobPage
from server.wire.validation import Validation
from server.wire.versions import VersionDiff, VersionsPage

T = TypeVar("T")
Graph = str | Mapping[str, Any]
"""An object, or text in its format."""

API = "/v1/modelbox"
RESPOND_ASYNC = {"Prefer": "respond-async"}
KEY = "Idempotency-Key"


@dataclass(frozen=True, kw_only=True)
class Call(Generic[T]):
    """`mutates`: it changes something, and is sent with a key, so that the server carries it out once however
    often it arrives. `is_idempotent`: sent twice it does what it does once, with its key or by its nature. `read`
    takes an answer below 400, or of a status in `also_good`. `gone_is`: what a 404 means when an earlier try may
    have been carried out."""

    method: str
    path: str
    read: Callable[[httpx.Response], T]
    params: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    mutates: bool = False
    is_idempotent: bool = True
    also_good: tuple[int, ...] = ()
    extra_seconds: float = 0.0
    gone_is: T | None = None

    def with_key(self) -> Self:
        """The call with a key of its own, if it needs one: the same at each of its tries."""
        if not self.mutates or KEY in self.headers:
            return self
        return replace(self, headers={**self.headers, KEY: str(uuid4())})

    def result(self, response: httpx.Response, *, tried_before: bool) -> T:
        """Raises: ApiError, BadAnswer."""
        if response.status_code == 404 and tried_before and self.gone_is is not None:
            return self.gone_is
        if response.status_code >= 400 and response.status_code not in self.also_good:
            raise error_of(response)
        return self.read(response)


def create(
    job_id: str,
    graph: Graph,
    graph_format: str | None = None,
    options: Mapping[str, Any] | None = None,
    *,
    wait: bool = True,
) -> Call[None]:
    body: dict[str, Any] = {"job_id": job_id, "job_graph": graph}
    if graph_format is not None:
        body["job_graph_format"] = graph_format
    if options is not None:
        body["options"] = options
    return Call(
        method="PUT",
        path=f"{API}/job",
        read=_nothing,
        headers={} if wait else RESPOND_ASYNC,
        content=msgspec.json.encode(body),
        mutates=True,
    )


def validate(
    graph: Graph,
    graph_format: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> Call[Validation]:
    body = {"job_graph": graph, "job_graph_format": graph_format, "options": options}
    return Call(
        method="POST",
        path=f"{API}/job/validate",
        read=_as(Validation),
        content=msgspec.json.encode({name: value for name, value in body.items() if value is not None}),
    )


def status(job_id: str) -> Call[JobBody]:
    return Call(method="GET", path=_job(job_id), read=_as(JobBody))


def full_status(job_id: str) -> Call[FullStatus]:
    return Call(method="GET", path=_job(job_id), read=_as(FullStatus), params={"view": "full"})


def list_all() -> Call[JobListBody]:
    return Call(method="GET", path=f"{API}/job/list/all", read=_as(JobListBody))


def job_page(
    *,
    statuses: Sequence[JobStatus | str] = (),
    text: str = "",
    labels: Sequence[str] = (),
    sort: str = "",
    fields: Sequence[str] = (),
    limit: int = 1000,
    cursor: str | None = None,
) -> Call[JobPage]:
    """`labels`: what each must be like, as NAME, !NAME, NAME=VALUE or NAME!=VALUE."""
    params = {
        "status": ",".join(statuses),
        "text": text,
        "label": ",".join(labels),
        "sort": sort,
        "fields": ",".join(fields),
        "limit": str(limit),
        "cursor": cursor or "",
    }
    return Call(method="GET", path=f"{API}/jobs", read=_as(JobPage), params=_given(params))


def change(
    job_id: str,
    graph: Graph | None = None,
    graph_format: str | None = None,
    options: Mapping[str, Any] | None = None,
    *,
    wait: bool = True,
    if_match: str | None = None,
) -> Call[JobBody]:
    body = {"job_graph": graph, "job_graph_format": graph_format, "options": options}
    return Call(
        method="PATCH",
        path=_job(job_id),
        read=_as(JobBody),
        headers=_asking(wait, if_match),
        content=msgspec.json.encode({name: value for name, value in body.items() if value is not None}),
        mutates=True,
    )


def versions_page(job_id: str, *, before: int | None = None, limit: int = 1000) -> Call[VersionsPage]:
    params = {"before": _text(before), "limit": str(limit)}
    return Call(method="GET", path=f"{_job(job_id)}/versions", read=_as(VersionsPage), params=_given(params))


def diff(job_id: str, *, from_version: int | None = None, to_version: int | None = None) -> Call[VersionDiff]:
    params = {"from": _text(from_version), "to": _text(to_version)}
    return Call(method="GET", path=f"{_job(job_id)}/diff", read=_as(VersionDiff), params=_given(params))


def rollback(job_id: str, *, to: int | None = None, if_match: str | None = None) -> Call[JobBody]:
    return Call(
        method="POST",
        path=f"{_job(job_id)}/rollback",
        read=_as(JobBody),
        params=_given({"to": _text(to)}),
        headers=_asking(True, if_match),
        mutates=True,
    )


def etag(job_id: str) -> Call[str]:
    return Call(method="GET", path=_job(job_id), read=_etag)


def stop(
    job_id: str, *, grace: float | None = None, wait: bool = True, if_match: str | None = None
) -> Call[JobBody]:
    return _order(job_id, "stop", {"grace": _seconds(grace)}, _asking(wait, if_match))


def start(job_id: str, *, wait: bool = True, if_match: str | None = None) -> Call[JobBody]:
    return _order(job_id, "start", {}, _asking(wait, if_match))


def restart(
    job_id: str,
    *,
    only_failed: bool = False,
    grace: float | None = None,
    wait: bool = True,
    if_match: str | None = None,
) -> Call[JobBody]:
    params = {"grace": _seconds(grace), "only_failed": "true" if only_failed else ""}
    return _order(job_id, "restart", params, _asking(wait, if_match))


def _order(job_id: str, word: str, params: Mapping[str, str], headers: Mapping[str, str]) -> Call[JobBody]:
    return Call(
        method="POST",
        path=f"{_job(job_id)}/{word}",
        read=_as(JobBody),
        params=_given(params),
        headers=headers,
        mutates=True,
    )


def _seconds(grace: float | None) -> str:
    return "" if grace is None else f"{grace:g}"


def delete(
    job_id: str, *, grace: float | None = None, wait: bool = True, if_match: str | None = None
) -> Call[bool]:
    """True when the job is gone, False when that is under way."""
    return Call(
        method="DELETE",
        path=_job(job_id),
        read=lambda response: response.status_code == 204,
        params=_given({"grace": _seconds(grace)}),
        headers=_asking(wait, if_match),
        mutates=True,
        gone_is=True,
    )


def history_page(
    job_id: str, *, newest_first: bool = False, limit: int = 1000, cursor: int | None = None
) -> Call[HistoryPage]:
    params = {"order": "newest" if newest_first else "", "limit": str(limit), "cursor": _text(cursor)}
    return Call(method="GET", path=f"{_job(job_id)}/history", read=_as(HistoryPage), params=_given(params))


def event_page(
    *, after: int = 0, job_id: str | None = None, types: Sequence[str] = (), limit: int = 1000, wait: float = 0
) -> Call[EventPage]:
    params = {"after": str(after), "type": ",".join(types), "limit": str(limit), "wait": f"{wait:g}"}
    return Call(
        method="GET",
        path=events_path(job_id),
        read=_as(EventPage),
        params=_given(params),
        extra_seconds=wait,
    )


def graph(job_id: str, graph_format: GraphFormat | str = GraphFormat.SOURCE) -> Call[bytes]:
    return Call(
        method="GET",
        path=f"{_job(job_id)}/graph",
        read=lambda response: response.content,
        params={"format": str(graph_format)},
    )


def version() -> Call[Version]:
    return Call(method="GET", path="/version", read=_as(Version))


def ready() -> Call[Readiness]:
    return Call(method="GET", path="/health/ready", read=_as(Readiness), also_good=(503,))


def metrics() -> Call[str]:
    return Call(method="GET", path="/metrics", read=lambda response: response.text)


def events_path(job_id: str | None) -> str:
    return f"{API}/events" if job_id is None else f"{_job(job_id)}/events"


def log_path(job_id: str) -> str:
    return f"{_job(job_id)}/log"


def _job(job_id: str) -> str:
    return f"{API}/job/{quote(job_id, safe='')}"


def _asking(wait: bool, if_match: str | None) -> dict[str, str]:
    """The headers of what changes a job."""
    return ({} if wait else RESPOND_ASYNC) | ({} if if_match is None else {"If-Match": if_match})


def _etag(response: httpx.Response) -> str:
    tag = response.headers.get("etag")
    if tag is None:
        raise bad_answer(response)
    return str(tag)


def _given(params: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in params.items() if value}


def _text(number: int | None) -> str:
    return "" if number is None else str(number)


def _nothing(_: httpx.Response) -> None:
    return None


def _as(kind: type[T]) -> Callable[[httpx.Response], T]:
    def read(response: httpx.Response) -> T:
        try:
            return msgspec.json.decode(response.content, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise bad_answer(response) from error

    return read
