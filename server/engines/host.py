"""The engine host: a small process that has the flow runtime loaded and forks one engine a job.

It decides nothing and stores nothing. It owns the listening sockets, reaps its engines and remembers how they
ended; if it dies, engines go on, and the next host takes their sockets over. Single-threaded, because it forks.

    python -m server.engines.host --state-dir DIR [--runtime MODULE:CLASS] [--cgroup auto|DIR]

It detaches itself and prints "ready" when it answers, else what is wrong.
"""

import argparse
import contextlib
import gc
import logging
import os
import selectors
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import msgspec
import setproctitle

from server.engines.birth import run_engine
from server.engines.cgroups import Cgroups, open_cgroups
from server.engines.channel import Channel, Waiting
from server.engines.children import Children, become_subreaper
from server.engines.claims import AddressInUse, ClaimRefused, Claims
from server.engines.identity import identity_of, is_alive
from server.engines.logs.files import Attempt
from server.engines.logs.guard import LogGuard
from server.engines.protocol import (
    Acknowledge,
    Claim,
    Claimed,
    Done,
    EngineHead,
    EngineSpec,
    HandOverListeners,
    Hello,
    HostRequest,
    HowEnded,
    Listening,
    Message,
    NotKnown,
    ProtocolError,
    Refused,
    Release,
    Retain,
    ShutDown,
    Start,
    Started,
    engine_message,
    host_request,
)
from server.engines.records import read_head_file, take_lock, write_owner
from server.engines.rundir import RunDir, listen_unix, raise_descriptor_limit
from server.engines.runtime import DEFAULT_RUNTIME, Runtime, load_runtime
from server.failpoints import Failpoint, hit
from server.jobs.limits import Limits

_COLLECT_SECONDS = 1.0
"""How long a new host waits for living engines to hand over their listening sockets."""

log = logging.getLogger("host")


class Host:
    def __init__(self, run_dir: RunDir, runtime: Runtime, lock: int, cgroups: Cgroups | None) -> None:
        self._run_dir = run_dir
        self._runtime = runtime
        self._lock = lock
        self._claims = Claims(run_dir)
        self._children = Children(run_dir, self._birth, cgroups)
        self._log_guard = LogGuard()
        self._selector = selectors.DefaultSelector()
        self._clients: set[Channel] = set()
        self._wake, self._woken = socket.socketpair()
        self._server = listen_unix(run_dir.path / "host.sock")
        self._uncollected: set[Path] = set(run_dir.engines.glob("*.sock"))
        for head in map(read_head_file, run_dir.engines.glob("*.lock")):
            if head is not None and is_alive(head.identity):
                self._guard_log(head)
        self._running = True

    def prepare(self) -> None:
        """Signals, then the sockets of engines that outlived an earlier host."""
        for end in (self._wake, self._woken):
            end.setblocking(False)
        signal.set_wakeup_fd(self._woken.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        become_subreaper()
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._selector.register(self._server, selectors.EVENT_READ)
        self._collect()

    def _stop(self, *_: object) -> None:
        self._running = False

    def serve(self) -> None:
        while self._running:
            for key, events in self._selector.select(self._seconds_to_next_look()):
                if key.fileobj is self._wake:
                    with contextlib.suppress(BlockingIOError):
                        self._wake.recv(4096)
                    self._children.reap()
                elif key.fileobj is self._server:
                    self._accept()
                else:
                    self._serve_client(key.data, events)
            self._children.look()
            self._log_guard.look()

    def _seconds_to_next_look(self) -> float | None:
        both = (self._children.seconds_to_next_look(), self._log_guard.seconds_left)
        return min((seconds for seconds in both if seconds is not None), default=None)

    def _accept(self) -> None:
        try:
            connection, _ = self._server.accept()
        except OSError:
            return
        connection.setblocking(False)
        client = Channel(connection)
        self._clients.add(client)
        self._selector.register(connection, selectors.EVENT_READ, client)

    def _serve_client(self, client: Channel, events: int) -> None:
        try:
            if events & selectors.EVENT_WRITE:
                client.flush()
            if events & selectors.EVENT_READ:
                for body in client.receive():
                    self._answer(client, host_request.decode(body))
        except (OSError, ProtocolError, msgspec.DecodeError) as error:
            log.warning("a client is cut off: %s", error)
            return self._drop(client)
        if client.ended:
            return self._drop(client)
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.has_unsent else 0)
        self._selector.modify(client.socket, wanted, client)
        return None

    def _drop(self, client: Channel) -> None:
        self._selector.unregister(client.socket)
        self._clients.discard(client)
        client.close()

    def _answer(self, client: Channel, request: HostRequest) -> None:
        if isinstance(request, Claim):
            return self._answer_claim(client, request)
        return client.send(self._outcome(request))

    def _outcome(self, request: HostRequest) -> Message:
        match request:
            case Start(spec=spec):
                answer = self._children.start(spec)
                if isinstance(answer, Started):
                    self._guard_log(spec)
                return answer
            case HowEnded(job_id=job_id, seat=seat):
                return self._children.how_ended(job_id, seat) or NotKnown()
            case Acknowledge(job_id=job_id, pid=pid, seat=seat):
                self._children.acknowledge(job_id, pid, seat)
            case Retain(job_id=job_id, endpoints=endpoints):
                self._claims.retain(job_id, endpoints)
            case Release(job_id=job_id):
                self._claims.release(job_id)
                hit(Failpoint.HOST_RELEASED)
                self._children.forget(job_id)
                self._log_guard.forget(job_id)
            case ShutDown():
                self._running = False
        return Done()

    def _guard_log(self, engine: EngineSpec | EngineHead) -> None:
        attempt = Attempt(engine.incarnation, engine.attempt)
        folder = self._run_dir.job_logs(engine.job_id)
        self._log_guard.watch(engine.job_id, folder, attempt, engine.log_limits, engine.seat)

    def _answer_claim(self, client: Channel, request: Claim) -> None:
        hit(Failpoint.HOST_BEFORE_CLAIM)
        try:
            try:
                listener = self._claims.claim(request.job_id, request.endpoint)
            except AddressInUse:
                if not self._uncollected:
                    raise
                # perhaps in use by an engine that was too busy to hand over when this host started
                self._collect()
                listener = self._claims.claim(request.job_id, request.endpoint)
        except ClaimRefused as refusal:
            return client.send(Refused(reason=str(refusal)))
        hit(Failpoint.HOST_CLAIMED)
        return client.send(Claimed(), [listener.fileno()])

    def _collect(self) -> None:
        deadline = time.monotonic() + _COLLECT_SECONDS
        with contextlib.ExitStack() as stack:
            asked: dict[Path, Waiting] = {}
            for path in sorted(self._uncollected):
                try:
                    engine = asked[path] = stack.enter_context(Waiting(path, deadline))
                    engine.send(HandOverListeners())
                except (ConnectionError, FileNotFoundError):
                    asked.pop(path, None)
                    self._uncollected.discard(path)
                except OSError:
                    asked.pop(path, None)
            for path, engine in asked.items():
                with contextlib.suppress(OSError, ProtocolError):
                    self._restore(engine)
                    self._uncollected.discard(path)

    def _restore(self, engine: Waiting) -> None:
        while not isinstance(answer := engine.receive(engine_message), Listening):
            if not isinstance(answer, Hello):
                log.info("an engine says %s", type(answer).__name__)
        for endpoint, descriptor in zip(answer.endpoints, engine.take_descriptors(), strict=True):
            self._claims.restore(answer.job_id, endpoint, descriptor)

    def _birth(self, spec: EngineSpec, rations: Limits, control: socket.socket, lock: int) -> None:
        """In the child: become an engine and nothing but an engine."""
        signal.set_wakeup_fd(-1)
        self._forget_everything()
        run_engine(spec, rations, control, lock, self._run_dir, self._runtime)

    def _forget_everything(self) -> None:
        """Closes in the child what belongs to the host. The epoll set is shared: it is closed, never changed."""
        self._claims.close()
        for client in self._clients:
            client.close()
        for end in (self._wake, self._woken, self._server):
            end.close()
        self._selector.close()
        os.close(self._lock)

    def close(self) -> None:
        signal.set_wakeup_fd(-1)
        self._children.close()
        self._forget_everything()


def _detach() -> None:
    """Goes on in a grandchild that has a session of its own and whose end nobody has to wait for."""
    if os.fork() != 0:
        os._exit(0)
    os.setsid()


def _lock(run_dir: RunDir) -> int | None:
    # a child that an earlier host was just forking when it was killed holds the lock for a moment longer
    deadline = time.monotonic() + 1.0
    while (lock := take_lock(run_dir.path / "host.lock")) is None and time.monotonic() < deadline:
        time.sleep(0.01)
    return lock


def _say(word: str) -> None:
    """The one line to whoever started this host; after it, stdout is the log."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()
    os.dup2(2, 1)


def _freeze() -> None:
    """What is loaded now stays: the collector must not write to pages that engines share."""
    gc.collect()
    gc.freeze()
    if threading.active_count() != 1:
        raise RuntimeError(f"the host may not have threads: {threading.enumerate()}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m server.engines.host")
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--runtime", default=DEFAULT_RUNTIME)
    parser.add_argument("--cgroup", default="", help="directory for engines' cgroups, or auto; none without it")
    options = parser.parse_args()
    _detach()
    run_dir = RunDir(options.state_dir)
    run_dir.create()
    lock = _lock(run_dir)
    if lock is None:
        return _say("another engine host serves this state directory")
    write_owner(lock, identity_of(os.getpid(), run_dir.path))
    setproctitle.setproctitle(f"modelbox-server: engine host [{run_dir.state_dir}]")
    logging.basicConfig(format="%(asctime)s %(name)s %(levelname)s %(message)s", level=logging.INFO)
    raise_descriptor_limit()
    runtime = load_runtime(options.runtime)
    runtime.warm_up()
    host = Host(run_dir, runtime, lock, open_cgroups(options.cgroup, run_dir))
    hit(Failpoint.HOST_LOCKED)
    host.prepare()
    hit(Failpoint.HOST_COLLECTED)
    _freeze()
    _say("ready")
    log.info("engine host ready, pid %d", os.getpid())
    host.serve()
    host.close()
    log.info("engine host ends; engines go on")
    return None


if __name__ == "__main__":
    main()
