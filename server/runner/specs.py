"""What an engine is given to start with."""

from msgspec.structs import replace

from server.config import Config
from server.engines.logs.files import LogLimits
from server.engines.protocol import EngineSpec
from server.jobs.ids import Epoch
from server.jobs.restart import stall_after_of
from server.jobs.state import Job
from server.store import Store


async def spec_of(
    job: Job,
    attempt: int,
    epoch: Epoch,
    config: Config,
    store: Store,
    *,
    seat: int = 0,
    successor: bool = False,
    traceparent: str = "",
) -> EngineSpec:
    """A successor has the version that is on its way. Raises: StoreUnavailable."""
    pending = job.changes.pending
    if successor and pending is not None:
        job = replace(job, graph_digest=pending.graph_digest, options=pending.options)
    graph = await store.graph(job.graph_digest)
    assert graph is not None  # appended in the transaction that created the job
    stall_after = stall_after_of(job, config.engine.stall_after)
    return EngineSpec(
        job_id=job.job_id,
        incarnation=job.incarnation,
        attempt=attempt,
        epoch=epoch,
        graph_format=graph.format,
        source=graph.source,
        plan=graph.plan,
        flow_limits=replace(config.flow.limits, stall_seconds=stall_after, secrets=config.secrets.allowed),
        start_timeout=config.engine.start_timeout,
        stop_grace=config.engine.stop_grace,
        limits=job.options.limits or config.engine.limits,
        log_limits=LogLimits(file_bytes=config.log.file_bytes, files=config.log.files),
        seat=seat,
        successor=successor,
        tracing=config.tracing,
        traceparent=traceparent,
    )
