"""The API's process: opens the store, follows the log, serves HTTP on a socket that it was given."""

import asyncio
import os
import resource
import signal
import socket
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, NamedTuple

import structlog
import uvloop
from sanic import Sanic
from sanic.server.async_server import AsyncioServer

from server.api.app import Services, build_app, longest_request
from server.api.commands import JobCommands
from server.api.endpoints import ENDPOINTS
from server.api.feed import Feed
from server.api.full_status import FullStatuses
from server.api.gate import Gate
from server.api.job_graph import JobGraphs
from server.api.job_index import JobIndex
from server.api.listener import BACKLOG
from server.api.log_places import LogPlaces
from server.api.needs import all_needs
from server.api.once import OnceOnly
from server.api.request_counts import RequestCounts
from server.api.scrape import Scrape, Sources
from server.api.tls import Tls, tls_of
from server.api.tokens import TokenList
from server.api.view import JobsView
from server.api.visible import VisibleJobs
from server.config import Config
from server.errors import StartError
from server.flow.examine.confined import Examiner
from server.store import Store, StoreUnavailable, seen
from server.store.follower import Follower
from server.store.health import HealthProbe
from server.store.history import History
from server.store.tokens import TokenReader
from server.tracing import open_tracing

log = structlog.get_logger()

SETTLED_SECONDS = 10.0
"""How long a booting API waits for the runner to find out which engines live, before it serves all the same."""
DESCRIPTORS = 16_384
RETRY_SECONDS = 0.5
"""Between two tries to read a database that was away when the API started."""
DRAIN_SECONDS = 3.0
DRAIN_LOOK_SECONDS = 0.02


def run(config: Config, listener: socket.socket, settled_fd: int | None) -> int:
    """Serves until SIGTERM or SIGINT. Serves nothing before `settled_fd` is readable or at its end. `config` has
    `access.tokens` decided, see bind.py.

    Raises: StartError.
    """
    _allow_many_connections()
    return uvloop.run(_main(config, listener, settled_fd, tls_of(config.tls)))


def _allow_many_connections() -> None:
    """A shell's usual limit of 1,024 descriptors would be the limit of watchers."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def _main(config: Config, listener: socket.socket, settled_fd: int | None, tls: Tls | None) -> int:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stopping.set)
    try:
        store = await Store.open(config.database_url, seen=seen.load(config.state_dir))
    except StoreUnavailable as error:
        raise StartError(str(error)) from error
    history, health = History(config.database_url, store.watermark), HealthProbe(config.database_url)
    tokens = TokenReader(config.database_url)
    try:
        if settled_fd is not None:
            await _settled(settled_fd, stopping)
        await serve(config, listener, tls, Databases(store, history, health, tokens), stopping)
    finally:
        await store.close()
        await history.close()
        await health.close()
        await tokens.close()
    return 0


async def _settled(fd: int, stopping: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    settled = asyncio.Event()
    loop.add_reader(fd, settled.set)
    waits = [asyncio.create_task(settled.wait()), asyncio.create_task(stopping.wait())]
    await asyncio.wait(waits, timeout=SETTLED_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    loop.remove_reader(fd)
    os.close(fd)


class Databases(NamedTuple):
    """One database, seen by threads of different purposes."""

    store: Store
    history: History
    health: HealthProbe
    tokens: TokenReader


async def serve(
    config: Config, listener: socket.socket, tls: Tls | None, databases: Databases, stopping: asyncio.Event
) -> None:
    store, history, health, token_reader = databases
    follower, feed = Follower(store), Feed(history)
    feeding = feed.run()
    try:
        await follower.load()
        await feed.load()
    except StoreUnavailable as error:
        log.error("serving without the database until it is back", reason=str(error))
        feeding = _load_and_run(feed, feeding)
    follower.subscribe(feed.wake)
    commands = JobCommands(store, follower, config.jobs)
    tracing = open_tracing(config.tracing, "modelbox-api")
    requests = RequestCounts(endpoint.word for endpoint in ENDPOINTS)
    once_only = OnceOnly(store, config.jobs.keys_kept, longest_request(config))
    streams: set[object] = set()
    examiner = Examiner(config.state_dir, config.jobs.examine_wait)
    sources = Sources(
        store=store,
        follower=follower,
        feed=feed,
        history=history,
        health=health,
        commands=commands,
        requests=requests,
        streams=streams,
        state_dir=config.state_dir,
    )
    tokens, visible = TokenList(token_reader), VisibleJobs(follower, history)
    gate = Gate(config, all_needs(ENDPOINTS), tokens, visible)
    tokens.subscribe(gate.look)
    graphs = JobGraphs(store, follower)
    services = Services(
        gate=gate,
        visible=visible,
        token_reader=token_reader,
        view=JobsView(follower),
        index=JobIndex(follower),
        commands=commands,
        once_only=once_only,
        history=history,
        feed=feed,
        log_places=LogPlaces(config.state_dir, follower, history),
        health=health,
        requests=requests,
        tracing=tracing,
        scrape=Scrape(sources, config.metrics),
        streams=streams,
        examiner=examiner,
        graphs=graphs,
        full_statuses=FullStatuses(graphs, config.state_dir, config.engine),
    )
    app = build_app(config, services)
    tasks = [
        asyncio.create_task(follower.follow(), name="follow the log"),
        asyncio.create_task(feeding, name="feed those who watch"),
        asyncio.create_task(tokens.run(), name="read the tokens"),
        asyncio.create_task(stopping.wait(), name="stop signal"),
    ]
    if tls is not None:
        tasks.append(asyncio.create_task(tls.run(), name="look for new TLS files"))
    server = await _start_server(app, listener, tls)
    host, port = listener.getsockname()[:2]
    log.info("serving", host=host, port=port, tls=tls is not None, tokens=config.access.tokens)
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    feed.close()
    await _stop_server(server)
    await once_only.close()
    await examiner.close()
    if tracing is not None:
        await asyncio.to_thread(tracing.close)
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Exception):
            raise result


async def _load_and_run(feed: Feed, feeding: Coroutine[Any, Any, None]) -> None:
    while True:
        await asyncio.sleep(RETRY_SECONDS)
        with suppress(StoreUnavailable):
            await feed.load()
            return await feeding


async def _start_server(app: Sanic[Any, Any], listener: socket.socket, tls: Tls | None) -> AsyncioServer:
    listener.setblocking(False)
    server = await app.create_server(
        sock=listener,
        ssl=None if tls is None else tls.context,
        return_asyncio_server=True,
        access_log=False,
        backlog=BACKLOG,
    )
    assert server is not None
    await server.startup()
    await server.before_start()
    await server.start_serving()
    await server.after_start()
    return server


async def _stop_server(server: AsyncioServer) -> None:
    """Takes no more connections, lets requests in flight end, closes idle ones."""
    await server.before_stop()
    server.close()
    for _ in range(int(DRAIN_SECONDS / DRAIN_LOOK_SECONDS)):
        for connection in list(server.connections):
            connection.close_if_idle()
        if not server.connections:
            break
        await asyncio.sleep(DRAIN_LOOK_SECONDS)
    for connection in list(server.connections):
        connection.abort()
    await server.after_stop()
