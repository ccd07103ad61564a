"""Starts of engines as parts of the traces of those who asked for them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from server.jobs.events import EngineStarted, SuccessorStarted
from server.jobs.ids import JobId
from server.jobs.state import Job
from server.store import Store
from server.tracing import Tracing, traceparent_in


@asynccontextmanager
async def start_traced(tracing: Tracing | None, store: Store, job: Job, attempt: int) -> AsyncIterator[str]:
    """Around the start of an engine; gives its place in the trace, "" when there is none.

    Raises: StoreUnavailable.
    """
    if tracing is None:
        yield ""
        return
    attributes: dict[str, str | int] = {"modelbox.job.id": job.job_id, "modelbox.job.attempt": attempt}
    span = tracing.begin("start engine", parent=await _cause(store, job.job_id), attributes=attributes)
    try:
        yield span.traceparent
    except Exception as error:
        span.fail(str(error))
        raise
    finally:
        span.end()


async def _cause(store: Store, job_id: JobId) -> str:
    """The place of the request that asked for the next start; "" when none did since the last one, as for a retry:
    that begins a trace of its own."""
    for recorded in reversed(await store.last_incarnation(job_id)):
        if isinstance(recorded.event, EngineStarted | SuccessorStarted):
            return ""
        if traceparent := traceparent_in(recorded.request_id):
            return traceparent
    return ""
