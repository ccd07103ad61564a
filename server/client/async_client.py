"""The client for programs with an event loop: as the other one, with `await`."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from server.client import calls, connection
from server.client.calls import Call, Graph
from server.client.errors import ClientError, unreachable
from server.client.retries import Retries
from server.client.settings import Settings, load_settings
from server.client.streams import EventStream, LogStream, Stream, Told
from server.jobs.words import JobStatus
from server.wire.bodies import JobBody, JobListBody
from server.wire.entries import Entry
from server.wire.full_status import FullStatus
from server.wire.graphs import GraphFormat
from server.wire.health import Readiness, Version
from server.wire.job_rows import JobPage, JobRow
from server.wire.logs import Level, LogEntry
from server.wire.validation import Validation
from server.wire.versions import JobVersion, VersionDiff

T = TypeVar("T")


def _untold(_: str | None) -> None:
    pass


class AsyncClient:
    """Speaks to one server. Use as a context manager, or `close()` it. Tasks may share it.

    Every method raises ClientError, most often ApiError (the server's "no") or Unreachable. What is idempotent is
    tried again a few times before; see Retries.
    """

    def __init__(
        self,
        settings: Settings | str | None = None,
        *,
        timeout: float = connection.ANSWER_SECONDS,
        retries: Retries = Retries(),  # noqa: B008 - a value
    ) -> None:
        """`settings`: or a URL; None is for what environment and profile say. `timeout`: seconds for an answer.

        Raises: SettingsError.
        """
        self.settings = settings if isinstance(settings, Settings) else load_settings(settings)
        self._http = httpx.AsyncClient(**connection.options(self.settings, timeout))
        self._retries = retries

    async def close(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def send(self, call: Call[T]) -> T:
        """What the call gives; those of `server.client.calls` have a method each below."""
        call = call.with_key()
        tries = 0
        while True:
            tries += 1
            try:
                return call.result(await self._response(call), tried_before=tries > 1)
            except ClientError as failure:
                delay = self._retries.delay_after(call, tries, failure)
                if delay is None:
                    raise
            await asyncio.sleep(delay)

    async def _response(self, call: Call[Any]) -> httpx.Response:
        try:
            return await self._http.send(connection.request(self._http, call))
        except httpx.RequestError as error:
            raise unreachable(error, self.settings.url) from error

    async def create(
        self,
        job_id: str,
        graph: Graph,
        *,
        graph_format: str | None = None,
        options: Mapping[str, Any] | None = None,
        wait: bool = True,
    ) -> None:
        """Returns when the flow is up or the server waits no longer; without `wait`, when it is on record.

        `graph`: an object, or text that is `graph_format`, json or toml (toml if left out).
        Raises: JobExists, InvalidGraph (the job is there then, and FAILED), TooManyJobs, ApiError.
        """
        await self.send(calls.create(job_id, graph, graph_format, options, wait=wait))

    async def validate(
        self,
        graph: Graph,
        *,
        graph_format: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> Validation:
        """Everything that is wrong with a graph and options, as the server sees it; nothing is changed."""
        return await self.send(calls.validate(graph, graph_format, options))

    async def status(self, job_id: str) -> JobBody:
        """Raises: NoSuchJob."""
        return await self.send(calls.status(job_id))

    async def full_status(self, job_id: str) -> FullStatus:
        """All that is known of a job, with how the nodes of its flow stand, as its engine says.

        Raises: NoSuchJob.
        """
        return await self.send(calls.full_status(job_id))

    async def list_all(self) -> JobListBody:
        """All jobs in ModelBox's own form, oldest first."""
        return await self.send(calls.list_all())

    async def job_page(self, **wanted: Any) -> JobPage:
        """One page of jobs, with counts; parameters as of `calls.job_page`."""
        return await self.send(calls.job_page(**wanted))

    async def jobs(
        self,
        *,
        statuses: Sequence[JobStatus | str] = (),
        text: str = "",
        labels: Sequence[str] = (),
        sort: str = "",
        fields: Sequence[str] = (),
    ) -> AsyncIterator[JobRow]:
        """All jobs that pass the filters, page by page as they are taken; `labels` as NAME, !NAME, NAME=VALUE or
        NAME!=VALUE, all of which must be so."""
        cursor = None
        while True:
            page = await self.job_page(
                statuses=statuses, text=text, labels=labels, sort=sort, fields=fields, cursor=cursor
            )
            for job in page.jobs:
                yield job
            cursor = page.next
            if cursor is None:
                return

    async def change(
        self,
        job_id: str,
        *,
        graph: Graph | None = None,
        graph_format: str | None = None,
        options: Mapping[str, Any] | None = None,
        wait: bool = True,
        if_match: str | None = None,
    ) -> JobBody:
        """Gives a job another graph, or merges `options` into its options (None takes one away); returns when the
        new version is up, or the server waits no longer: `change` of the answer is set then.

        Raises: NoSuchJob, InvalidGraph (nothing has changed, if the job ran), ChangeUnderWay; ConditionFailed,
        when it has another tag than `if_match`.
        """
        call = calls.change(job_id, graph, graph_format, options, wait=wait, if_match=if_match)
        return await self.send(call)

    async def versions(self, job_id: str) -> AsyncIterator[JobVersion]:
        """What the job has been and was to become, newest first. Raises: NoSuchJob."""
        before = None
        while True:
            page = await self.send(calls.versions_page(job_id, before=before))
            for version in page.versions:
                yield version
            before = page.next
            if before is None:
                return

    async def diff(
        self, job_id: str, *, from_version: int | None = None, to_version: int | None = None
    ) -> VersionDiff:
        """How two versions differ; what the last change did, if none is given. Raises: NoSuchJob."""
        return await self.send(calls.diff(job_id, from_version=from_version, to_version=to_version))

    async def rollback(self, job_id: str, *, to: int | None = None, if_match: str | None = None) -> JobBody:
        """Back to what version `to`, or the one before this, had, as a new version. Raises: as `change`."""
        return await self.send(calls.rollback(job_id, to=to, if_match=if_match))

    async def etag(self, job_id: str) -> str:
        """The tag of the job as it is, for `if_match`: changed by what is done to the job, not by what its engine
        does. Raises: NoSuchJob."""
        return await self.send(calls.etag(job_id))

    async def stop(
        self, job_id: str, *, grace: float | None = None, wait: bool = True, if_match: str | None = None
    ) -> JobBody:
        """Ends its engine, within `grace` seconds, 0: at once, and starts none until somebody asks for it. A job
        that has ended stays as it is. Raises: NoSuchJob, ConditionFailed."""
        return await self.send(calls.stop(job_id, grace=grace, wait=wait, if_match=if_match))

    async def start(self, job_id: str, *, wait: bool = True, if_match: str | None = None) -> JobBody:
        """Starts a job that was stopped or has ended, or whose next attempt is waited for.

        Raises: NoSuchJob; InvalidGraph, when it fails again; ConditionFailed.
        """
        return await self.send(calls.start(job_id, wait=wait, if_match=if_match))

    async def restart(
        self,
        job_id: str,
        *,
        only_failed: bool = False,
        grace: float | None = None,
        wait: bool = True,
        if_match: str | None = None,
    ) -> JobBody:
        """Another engine in place of the one that it has, or had. Raises: as `start`."""
        call = calls.restart(job_id, only_failed=only_failed, grace=grace, wait=wait, if_match=if_match)
        return await self.send(call)

    async def delete(
        self, job_id: str, *, grace: float | None = None, wait: bool = True, if_match: str | None = None
    ) -> bool:
        """True: the job is gone; False: it is DELETEING. Its engine has `grace` seconds, the server's if None; 0:
        it is killed at once. Raises: NoSuchJob; ConditionFailed, when it has another tag than `if_match`."""
        return await self.send(calls.delete(job_id, grace=grace, wait=wait, if_match=if_match))

    async def history(self, job_id: str, *, newest_first: bool = False) -> AsyncIterator[Entry]:
        """What happened to the jobs of that id, page by page as it is taken. Raises: NoSuchJob."""
        cursor = None
        while True:
            page = await self.send(calls.history_page(job_id, newest_first=newest_first, cursor=cursor))
            for entry in page.events:
                yield entry
            cursor = page.next
            if cursor is None:
                return

    async def watch(
        self,
        job_id: str | None = None,
        *,
        after: int | None = None,
        types: Sequence[str] = (),
        patience: float | None = None,
        told: Told = _untold,
    ) -> AsyncIterator[Entry]:
        """What happens from now on, or behind the position `after`: each event once, over as many connections as
        it takes. Ends when `aclose()` is called on it, or with an error.

        Raises: NoSuchJob, ApiError (the position is of another log), Unreachable after `patience` seconds without
        a connection.
        """
        stream = EventStream(job_id, after, types, patience, told)
        async with aclosing(self._items(stream)) as entries:
            async for entry in entries:
                yield entry

    async def logs(
        self,
        job_id: str,
        *,
        attempt: int | None = None,
        tail: int | None = None,
        since: str | None = None,
        level: Level | str | None = None,
        follow: bool = False,
        patience: float | None = None,
        told: Told = _untold,
    ) -> AsyncIterator[LogEntry]:
        """As that of the other client."""
        stream = LogStream(
            job_id,
            attempt=attempt,
            tail=tail,
            since=since,
            level=level,
            follow=follow,
            patience=patience,
            told=told,
        )
        async with aclosing(self._items(stream)) as entries:
            async for entry in entries:
                yield entry

    async def _items(self, stream: Stream[T]) -> AsyncGenerator[T, None]:
        while True:
            failure: ClientError | None = None
            try:
                async with aclosing(self._of_connection(stream)) as items:
                    async for item in items:
                        yield item
            except ClientError as error:
                failure = error
            if failure is None and stream.is_over:
                return
            await asyncio.sleep(stream.delay_after(failure))

    async def _of_connection(self, stream: Stream[T]) -> AsyncGenerator[T, None]:
        try:
            response = await self._http.send(stream.request(self._http), stream=True)
            try:
                if response.is_error:
                    await response.aread()
                stream.opened(response)
                async for received in response.aiter_bytes():
                    for item in stream.items_in(received):
                        yield item
            finally:
                await response.aclose()
        except httpx.RequestError as error:
            raise unreachable(error, self.settings.url) from error

    async def graph(self, job_id: str, graph_format: GraphFormat | str = GraphFormat.SOURCE) -> bytes:
        """A job's graph as it was sent, as a plan in JSON, as DOT, or as an SVG picture with the states of nodes.

        Raises: NoSuchJob; InvalidGraph, when there is no plan or no picture of it.
        """
        return await self.send(calls.graph(job_id, graph_format))

    async def version(self) -> Version:
        return await self.send(calls.version())

    async def ready(self) -> Readiness:
        """Whether the server can work, and what keeps it from that."""
        return await self.send(calls.ready())

    async def metrics(self) -> str:
        """All figures, in Prometheus' text form."""
        return await self.send(calls.metrics())
