"""From a forked copy of the host to an engine process."""

import asyncio
import contextlib
import logging
import os
import random
import signal
import socket
import sys
import time

import setproctitle
import uvloop

from server.engines.children import become_subreaper
from server.engines.engine import Engine
from server.engines.identity import identity_of
from server.engines.logs.files import Attempt
from server.engines.logs.writer import EngineLog
from server.engines.protocol import EngineHead, EngineSpec
from server.engines.records import write_owner
from server.engines.rundir import RunDir
from server.engines.runtime import Runtime
from server.failpoints import Failpoint, hit
from server.flow.log_lines import log_to_stderr
from server.jobs.limits import Limits


def run_engine(
    spec: EngineSpec, rations: Limits, control: socket.socket, lock: int, run_dir: RunDir, runtime: Runtime
) -> None:
    """Runs the engine until its flow has ended. `rations` are those that the host looks after. The caller
    ends the process then, without any clean-up: threads of units may run for ever."""
    born_at = time.monotonic()
    os.setsid()
    _close_all_but(control.fileno(), lock)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    become_subreaper()
    head = EngineHead(
        job_id=spec.job_id,
        incarnation=spec.incarnation,
        attempt=spec.attempt,
        epoch=spec.epoch,
        log=spec.log,
        identity=identity_of(os.getpid(), run_dir.path),
        rations=rations,
        log_limits=spec.log_limits,
        seat=spec.seat,
        successor=spec.successor,
    )
    hit(Failpoint.ENGINE_BORN)
    write_owner(lock, head)
    engine_log = EngineLog(run_dir.job_logs(spec.job_id), Attempt(spec.incarnation, spec.attempt), spec.log_limits)
    engine_log.open()
    engine_log.look_after()
    log_to_stderr()
    setproctitle.setproctitle(f"modelbox-server: engine of job {spec.job_id} [{run_dir.state_dir}]")
    _reseed()
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.run_until_complete(Engine(head, spec, control, run_dir, runtime, born_at).run())
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()


def _close_all_but(*kept: int) -> None:
    """Whatever the host or a library had open is none of an engine's business."""
    for name in os.listdir("/proc/self/fd"):
        descriptor = int(name)
        if descriptor > 2 and descriptor not in kept:
            # the descriptor of the listing itself is closed already
            with contextlib.suppress(OSError):
                os.close(descriptor)


def _reseed() -> None:
    random.seed()
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()
