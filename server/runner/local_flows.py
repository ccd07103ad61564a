"""At boot, brings the jobs of local flow files in line with the files: by commands, like any other client."""

import asyncio
import os

import structlog

from server.config import Config
from server.jobs.commands import Context, DeleteJob
from server.jobs.errors import JobError
from server.jobs.state import Job
from server.runner import boot_files as b
from server.store import Store, StoreUnavailable
from server.store.follower import Follower

log = structlog.get_logger()

BOOT = Context(actor=b.ACTOR)
RETRY_SECONDS = 1.0


async def keep_to_files(
    config: Config, store: Store, follower: Follower, settled: asyncio.Event, settled_fd: int | None
) -> None:
    """Once the runner has settled: one pass over the files, repeated only when the log could not be written.
    Closes `settled_fd` when the jobs of new files are in the log."""
    await settled.wait()
    try:
        while True:
            if await _pass(config, store, follower):
                return
            await asyncio.sleep(RETRY_SECONDS)
    finally:
        if settled_fd is not None:
            os.close(settled_fd)


async def _pass(config: Config, store: Store, follower: Follower) -> bool:
    files = await asyncio.to_thread(b.read_boot_files, config.server.flow_path)
    if files is None:
        return True
    replacements: list[b.Replace] = []
    try:
        for job in b.gone(files, list(follower.jobs.values())):
            log.info("its file is gone, deleting the job", job_id=job.job_id)
            await _delete(store, follower, job)
        for file in files:
            plan = await _plan(store, follower, file)
            if isinstance(plan, b.Create):
                follower.note(await store.submit(file.command(), BOOT))
            elif isinstance(plan, b.Replace):
                replacements.append(plan)
            elif plan.why:
                log.warning("local flow left alone", file=file.job_id, reason=plan.why)
        for replacement in replacements:
            await _replace(store, follower, replacement.file)
    except StoreUnavailable as error:
        log.warning("local flows wait for the database", reason=str(error))
        return False
    except JobError as error:
        log.warning("a client was faster than the local flows, looking again", reason=str(error))
        return False
    return True


async def _plan(store: Store, follower: Follower, file: b.BootFile) -> b.Keep | b.Create | b.Replace:
    job = follower.jobs.get(file.job_id)
    last = () if job is not None else await store.last_incarnation(file.job_id)
    return b.plan_for(file, job, last)


async def _replace(store: Store, follower: Follower, file: b.BootFile) -> None:
    """A changed file: its job goes, and comes back as a new one when the old engine is gone."""
    job = follower.jobs.get(file.job_id)
    if job is not None:
        log.info("its file has changed, replacing the job", job_id=file.job_id)
        await _delete(store, follower, job)
        await follower.wait_until(job.job_id, job.incarnation, lambda _job: False)
    follower.note(await store.submit(file.command(), BOOT))


async def _delete(store: Store, follower: Follower, job: Job) -> None:
    follower.note(await store.submit(DeleteJob(job_id=job.job_id), BOOT))
