"""Removes logs of engines that are to be kept no longer, now and then."""

import asyncio

import structlog

from server.config import Config
from server.engines.logs.retention import LogRetention, tidy
from server.engines.rundir import RunDir
from server.failpoints import Failpoint, hit, io_error
from server.store.follower import Follower

log = structlog.get_logger()

TIDY_SECONDS = 60.0


async def tidy_logs(config: Config, follower: Follower, settled: asyncio.Event) -> None:
    """Runs until it is cancelled. Only this machine's logs are removed: those of its state directory."""
    await settled.wait()
    run_dir = RunDir(config.state_dir)
    retention = LogRetention(
        attempts=config.log.attempts,
        max_age=config.log.max_age,
        max_age_deleted=config.log.max_age_deleted,
        max_bytes=config.log.max_bytes,
    )
    while True:
        live = frozenset(run_dir.job_logs(job_id).name for job_id in follower.jobs)
        try:
            hit(Failpoint.RUNNER_TIDY_LOGS, io_error)
            removed = await asyncio.to_thread(tidy, run_dir.logs / "jobs", retention, live)
        except OSError as error:
            log.warning("old logs are not removed", reason=str(error))
        else:
            if removed:
                log.info("old logs removed", attempts=removed)
        await asyncio.sleep(TIDY_SECONDS)
