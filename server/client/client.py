"""The client for programs without an event loop."""

import time
from collections.abc import Iterator, Mapping, Sequence
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


class Client:
    """Speaks to one server. Use as a context manager, or `close()` it. Threads may share it.

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
        self._http = httpx.Client(**connection.options(self.settings, timeout))
        self._retries = retries

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def send(self, call: Call[T]) -> T:
        """What the call gives; those of `server.client.calls` have a method each below."""
        call = call.with_key()
        tries = 0
        while True:
            tries += 1
            try:
                return call.result(self._response(call), tried_before=tries > 1)
            except ClientError as failure:
                delay = self._retries.delay_after(call, tries, failure)
                if delay is None:
                    raise
            time.sleep(delay)

    def _response(self, call: Call[Any]) -> httpx.Response:
        try:
            return self._http.send(connection.request(self._http, call))
        except httpx.RequestError as error:
            raise unreachable(error, self.settings.url) from error

    def create(
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
        self.send(calls.create(job_id, graph, graph_format, options, wait=wait))

    def validate(
        self,
        graph: Graph,
        *,
        graph_format: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> Validation:
        """Everything that is wrong with a graph and options, as the server sees it; nothing is changed."""
        return self.send(calls.validate(graph, graph_format, options))

    def status(self, job_id: str) -> JobBody:
        """Raises: NoSuchJob."""
        return self.send(calls.status(job_id))

    def full_status(self, job_id: str) -> FullStatus:
        """All that is known of a job, with how the nodes of its flow stand, as its engine says.

        Raises: NoSuchJob.
        """
        return self.send(calls.full_status(job_id))

    def list_all(self) -> JobListBody:
        """All jobs in ModelBox's own form, oldest first."""
        return self.send(calls.list_all())

    def job_page(self, **wanted: Any) -> JobPage:
        """One page of jobs, with counts; parameters as of `calls.job_page`."""
        return self.send(calls.job_page(**wanted))

    def jobs(
        self,
        *,
        statuses: Sequence[JobStatus | str] = (),
        text: str = "",
        labels: Sequence[str] = (),
        sort: str = "",
        fields: Sequence[str] = (),
    ) -> Iterator[JobRow]:
        """All jobs that pass the filters, page by page as they are taken; `labels` as NAME, !NAME, NAME=VALUE or
        NAME!=VALUE, all of which must be so."""
        cursor = None
        while True:
            page = self.job_page(
                statuses=statuses, text=text, labels=labels, sort=sort, fields=fields, cursor=cursor
            )
            yield from page.jobs
            cursor = page.next
            if cursor is None:
                return

    def change(
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
        return self.send(call)

    def versions(self, job_id: str) -> Iterator[JobVersion]:
        """What the job has been and was to become, newest first. Raises: NoSuchJob."""
        before = None
        while True:
            page = self.send(calls.versions_page(job_id, before=before))
            yield from page.versions
            before = page.next
            if before is None:
                return

    def diff(self, job_id: str, *, from_version: int | None = None, to_version: int | None = None) -> VersionDiff:
        """How two versions differ; what the last change did, if none is given. Raises: NoSuchJob."""
        return self.send(calls.diff(job_id, from_version=from_version, to_version=to_version))

    def rollback(self, job_id: str, *, to: int | None = None, if_match: str | None = None) -> JobBody:
        """Back to what version `to`, or the one before this, had, as a new version. Raises: as `change`."""
        return self.send(calls.rollback(job_id, to=to, if_match=if_match))

    def etag(self, job_id: str) -> str:
        """The tag of the job as it is, for `if_match`: changed by what is done to the job, not by what its engine
        does. Raises: NoSuchJob."""
        return self.send(calls.etag(job_id))

    def stop(
        self, job_id: str, *, grace: float | None = None, wait: bool = True, if_match: str | None = None
    ) -> JobBody:
        """Ends its engine, within `grace` seconds, 0: at once, and starts none until somebody asks for it. A job
        that has ended stays as it is. Raises: NoSuchJob, ConditionFailed."""
        return self.send(calls.stop(job_id, grace=grace, wait=wait, if_match=if_match))

    def start(self, job_id: str, *, wait: bool = True, if_match: str | None = None) -> JobBody:
        """Starts a job that was stopped or has ended, or whose next attempt is waited for.

        Raises: NoSuchJob; InvalidGraph, when it fails again; ConditionFailed.
        """
        return self.send(calls.start(job_id, wait=wait, if_match=if_match))

    def restart(
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
        return self.send(call)

    def delete(
        self, job_id: str, *, grace: float | None = None, wait: bool = True, if_match: str | None = None
    ) -> bool:
        """True: the job is gone; False: it is DELETEING. Its engine has `grace` seconds, the server's if None; 0:
        it is killed at once. Raises: NoSuchJob; ConditionFailed, when it has another tag than `if_match`."""
        return self.send(calls.delete(job_id, grace=grace, wait=wait, if_match=if_match))

    def history(self, job_id: str, *, newest_first: bool = False) -> Iterator[Entry]:
        """What happened to the jobs of that id, page by page as it is taken. Raises: NoSuchJob."""
        cursor = None
        while True:
            page = self.send(calls.history_page(job_id, newest_first=newest_first, cursor=cursor))
            yield from page.events
            cursor = page.next
            if cursor is None:
                return

    def watch(
        self,
        job_id: str | None = None,
        *,
        after: int | None = None,
        types: Sequence[str] = (),
        patience: float | None = None,
        told: Told = _untold,
    ) -> Iterator[Entry]:
        """What happens from now on, or behind the position `after`: each event once, over as many connections as
        it takes. Ends when `close()` is called on it, or with an error.

        Raises: NoSuchJob, ApiError (the position is of another log), Unreachable after `patience` seconds without
        a connection.
        """
        yield from self._items(EventStream(job_id, after, types, patience, told))

    def logs(
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
    ) -> Iterator[LogEntry]:
        """The lines of a job's log, of its newest attempt if none is given. With `follow` what is written from now
        on too, of later attempts as well, each line once, over as many connections as it takes.

        `tail`: only so many lines, the last; `since`: a time in RFC 3339, or how long ago, such as 90s, 10m, 2h.
        Raises: NoSuchJob, ApiError, Unreachable after `patience` seconds without a connection.
        """
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
        yield from self._items(stream)

    def _items(self, stream: Stream[T]) -> Iterator[T]:
        while True:
            failure: ClientError | None = None
            try:
                yield from self._of_connection(stream)
            except ClientError as error:
                failure = error
            if failure is None and stream.is_over:
                return
            time.sleep(stream.delay_after(failure))

    def _of_connection(self, stream: Stream[T]) -> Iterator[T]:
        try:
            response = self._http.send(stream.request(self._http), stream=True)
            try:
                if response.is_error:
                    response.read()
                stream.opened(response)
                for received in response.iter_bytes():
                    yield from stream.items_in(received)
            finally:
                response.close()
        except httpx.RequestError as error:
            raise unreachable(error, self.settings.url) from error

    def graph(self, job_id: str, graph_format: GraphFormat | str = GraphFormat.SOURCE) -> bytes:
        """A job's graph as it was sent, as a plan in JSON, as DOT, or as an SVG picture with the states of nodes.

        Raises: NoSuchJob; InvalidGraph, when there is no plan or no picture of it.
        """
        return self.send(calls.graph(job_id, graph_format))

    def version(self) -> Version:
        return self.send(calls.version())

    def ready(self) -> Readiness:
        """Whether the server can work, and what keeps it from that."""
        return self.send(calls.ready())

    def metrics(self) -> str:
        """All figures, in Prometheus' text form."""
        return self.send(calls.metrics())
