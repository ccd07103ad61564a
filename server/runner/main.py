"""The runner's process: waits to lead, then keeps engines to the log."""

import asyncio
import os
import platform
import signal
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
import uvloop

from server.config import Config
from server.engines.driver import EngineFenced
from server.engines.local import LocalDriver
from server.errors import StartError
from server.failpoints import Failpoint, hit
from server.jobs.commands import Context
from server.jobs.ids import Epoch
from server.metrics import link
from server.metrics.fresh import FRESH_SECONDS, Fresh
from server.runner import local_flows, seen_file
from server.runner.keeper import Keeper
from server.runner.logs import tidy_logs
from server.runner.metrics import RunnerMetrics
from server.runner.standby import Standby
from server.store import LeaderLock, StaleEpoch, Store, StoreUnavailable, leader_lock, seen
from server.store.follower import Follower
from server.tracing import open_tracing

log = structlog.get_logger()

DEPOSED_EXIT = 3
"""Exit code of a runner that stopped leading; whoever started it starts it again, to wait for its next turn."""

OTHER_LEADS_SECONDS = 1.0
"""Who waits so long for its turn waits for a leader that is alive, and sees to it that the log is true."""


def run(config: Config, settled_fd: int | None, *, keep_engines: bool = True) -> int:
    """Runs until SIGTERM (engines stay) or SIGINT (engines are stopped too); returns the exit code.

    `settled_fd` is closed once the projection tells the truth about every engine.
    Raises: StartError.
    """
    return uvloop.run(_main(config, settled_fd, keep_engines))


async def _main(config: Config, settled_fd: int | None, keep_engines: bool) -> int:
    stop: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, _ask, stop, keep_engines)
    loop.add_signal_handler(signal.SIGINT, _ask, stop, False)
    try:
        store = await Store.open(config.database_url, seen=seen.load(config.state_dir))
    except StoreUnavailable as error:
        raise StartError(str(error)) from error
    try:
        settled = _Settled(settled_fd)
        if not await _wait_to_lead(lock := leader_lock(config.database_url), config, store, stop, settled):
            return 0
        return await _lead(lock, config, store, stop, settled.fd)
    except StoreUnavailable as error:
        log.error("the runner gives up its turn", reason=str(error))
        return DEPOSED_EXIT
    finally:
        await store.close()


def _ask(stop: "asyncio.Future[bool]", keep_engines: bool) -> None:
    if not stop.done():
        stop.set_result(keep_engines)


def _driver(config: Config, log_name: str) -> LocalDriver:
    return LocalDriver(config.state_dir, cgroup=config.engine.cgroup, log=log_name)


@dataclass
class _Settled:
    """The end of a pipe that somebody waits for, who must know that the log tells the truth about engines."""

    fd: int | None

    def close(self) -> None:
        fd, self.fd = self.fd, None
        if fd is not None:
            os.close(fd)


async def _wait_to_lead(
    lock: LeaderLock, config: Config, store: Store, stop: "asyncio.Future[bool]", settled: _Settled
) -> bool:
    """False when the runner is to stop before its turn has come."""
    turn = asyncio.create_task(lock.acquire(), name="wait to lead")
    either: set[asyncio.Future[Any]] = {turn, stop}
    await asyncio.wait(either, timeout=OTHER_LEADS_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    try:
        if not any(future.done() for future in either):
            settled.close()
            standby = Standby(store, partial(_driver, config), config.engine.stop_grace)
            await _stand_by(standby, either)
        if turn.done():
            turn.result()
            return True
    except BaseException:
        await _give_up(turn, lock)
        raise
    await _give_up(turn, lock)
    return False


async def _stand_by(standby: Standby, until: "set[asyncio.Future[Any]]") -> None:
    """Raises: whatever ends the standby before one of `until` is done."""
    at_work = asyncio.create_task(standby.run(), name="standby")
    await asyncio.wait({at_work, *until}, return_when=asyncio.FIRST_COMPLETED)
    at_work.cancel()
    (outcome,) = await asyncio.gather(at_work, return_exceptions=True)
    if isinstance(outcome, Exception):
        raise outcome


async def _give_up(turn: "asyncio.Task[None]", lock: LeaderLock) -> None:
    turn.cancel()
    await asyncio.wait({turn})
    await lock.release()


async def _lead(
    lock: LeaderLock, config: Config, store: Store, stop: "asyncio.Future[bool]", settled_fd: int | None
) -> int:
    try:
        hit(Failpoint.RUNNER_LEADS)
        epoch = await store.elect(Context(actor="runner"), platform.node(), os.getpid())
        hit(Failpoint.RUNNER_ELECTED)
        log.info("leading", epoch=epoch)
        return await _keep(config, store, epoch, stop, lock.lost, settled_fd)
    finally:
        await lock.release()


async def _keep(
    config: Config,
    store: Store,
    epoch: Epoch,
    stop: "asyncio.Future[bool]",
    lost: asyncio.Event,
    settled_fd: int | None,
) -> int:
    follower = Follower(store)
    await follower.load()
    follower.subscribe(lambda _: _notice_new_leader(follower, epoch, lost))
    hit(Failpoint.RUNNER_LOADED)
    driver = _driver(config, await store.log_name())
    tracing = open_tracing(config.tracing, "modelbox-runner")
    keeper = Keeper(store, follower, driver, epoch, config, tracing)
    settled = asyncio.Event()
    keeping = asyncio.create_task(keeper.run(settled), name="keeper")
    noting = asyncio.create_task(seen_file.keep(store, config.state_dir), name="seen file")
    flows = asyncio.create_task(
        local_flows.keep_to_files(config, store, follower, settled, settled_fd), name="local flows"
    )
    deposed = asyncio.create_task(lost.wait(), name="leader lock")
    tidying = asyncio.create_task(tidy_logs(config, follower, settled), name="old logs")
    metrics = RunnerMetrics(store, follower, keeper, epoch, config.metrics)
    telling = asyncio.create_task(
        link.serve(config.state_dir, Fresh(metrics.parts, FRESH_SECONDS).get, metrics.engine), name="metrics"
    )
    any_of: set[asyncio.Future[Any]] = {keeping, stop, deposed}
    await asyncio.wait(any_of, return_when=asyncio.FIRST_COMPLETED)
    if stop.done() and not stop.result() and not keeping.done():
        await keeper.stop_engines("the server was stopped together with its engines")
    code = 0 if stop.done() else DEPOSED_EXIT
    tasks = (flows, keeping, deposed, noting, tidying, telling)
    for task in tasks:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    await driver.close()
    if tracing is not None:
        await asyncio.to_thread(tracing.close)
    for result in results:
        if isinstance(result, Exception):
            code = DEPOSED_EXIT
            if not _is_stale(result):
                log.error("the runner failed and will be started again", exc_info=result)
    return code


def _notice_new_leader(follower: Follower, epoch: Epoch, lost: asyncio.Event) -> None:
    """Somebody began a newer epoch, by another leader or by giving up a part of the log: this one is over, though
    the lock may still be ours."""
    if follower.epoch > epoch and not lost.is_set():
        log.warning("a newer epoch has begun, this runner leads no more", epoch=epoch, newer=follower.epoch)
        lost.set()


def _is_stale(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(_is_stale(inner) for inner in error.exceptions)
    return isinstance(error, StaleEpoch | EngineFenced)
