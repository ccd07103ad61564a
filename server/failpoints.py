"""Named places at which a test can have a process die, an operation fail, or everything wait.

Off unless the environment variable MODELBOX_FAILPOINTS names a directory when the process starts. There, a file of
a failpoint's name arms it. Its text: the action, how many arrivals to let pass, and the process (api, runner,
serve, host, engine) when it is meant for one only. Whoever gets there next renames the file to NAME.fired and
acts, so that each arming fires once, whatever is restarted.
"""

import errno
import os
import signal
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

import setproctitle

VARIABLE = "MODELBOX_FAILPOINTS"
DELAY_SECONDS = 1.5
"""How long a delayed process stands still, all of the thread that got there: more than the longest wait of one
process for another that is not a question of life and death."""

_DIRECTORY = os.environ.get(VARIABLE)


class Action(StrEnum):
    CRASH = "crash"  # kill -9 of the process
    FAIL = "fail"  # the operation fails in the way that is told at its place
    DELAY = "delay"


class Failpoint(StrEnum):
    """Every failpoint. `fail` is possible where `hit` is given an error."""

    STORE_CONNECT = "store.connect"
    STORE_READ = "store.read"
    STORE_READ_DONE = "store.read-done"
    STORE_ASK = "store.ask"
    STORE_HEAD = "store.head"
    STORE_BEGIN = "store.begin"
    STORE_BEFORE_COMMIT = "store.before-commit"
    STORE_AFTER_COMMIT = "store.after-commit"
    STORE_WAKE = "store.wake"
    MIGRATE_BEGIN = "migrate.begin"
    MIGRATE_BEFORE_COMMIT = "migrate.before-commit"
    MIGRATE_AFTER_COMMIT = "migrate.after-commit"
    ARCHIVE_WRITTEN = "archive.written"
    ARCHIVE_NAMED = "archive.named"
    ARCHIVE_REMOVED = "archive.removed"
    ARCHIVE_DONE = "archive.done"
    LEADER_TRY = "leader.try"
    LEADER_WATCH = "leader.watch"
    API_BEFORE_SUBMIT = "api.before-submit"
    API_SUBMITTED = "api.submitted"
    API_BEFORE_ANSWER = "api.before-answer"
    API_ANSWER_KEPT = "api.answer-kept"
    API_EXAMINE = "api.examine"
    API_READ_TOKENS = "api.read-tokens"
    SERVE_RUNNER_STARTED = "serve.runner-started"
    SERVE_STARTED = "serve.started"
    SERVE_CHILD_ENDED = "serve.child-ended"
    SERVE_API_STOPPED = "serve.api-stopped"
    RUNNER_LEADS = "runner.leads"
    RUNNER_ELECTED = "runner.elected"
    RUNNER_LOADED = "runner.loaded"
    RUNNER_FOUND_ENGINES = "runner.found-engines"
    RUNNER_ADOPTED = "runner.adopted"
    RUNNER_SETTLED = "runner.settled"
    RUNNER_BEFORE_RECORD = "runner.before-record"
    RUNNER_RECORDED = "runner.recorded"
    RUNNER_BEFORE_START = "runner.before-start"
    RUNNER_ENGINE_STARTED = "runner.engine-started"
    RUNNER_BEFORE_STOP = "runner.before-stop"
    RUNNER_TOOK_NEWS = "runner.took-news"
    RUNNER_BEFORE_RELEASE = "runner.before-release"
    RUNNER_RELEASED = "runner.released"
    RUNNER_BEFORE_FORGET = "runner.before-forget"
    RUNNER_METRICS_LISTEN = "runner.metrics-listen"
    RUNNER_METRICS_ANSWER = "runner.metrics-answer"
    RUNNER_TIDY_LOGS = "runner.tidy-logs"
    BOOT_FILES_READ = "boot-files.read"
    HOST_SPAWN = "host.spawn"
    HOST_LOCKED = "host.locked"
    HOST_COLLECTED = "host.collected"
    RUNNER_SUCCESSOR_STARTED = "runner.successor-started"
    RUNNER_BEFORE_SWITCH = "runner.before-switch"
    RUNNER_SWITCHED = "runner.switched"
    RUNNER_GAVE_WAY = "runner.gave-way"
    RUNNER_PROMOTED = "runner.promoted"
    HOST_BEFORE_CLAIM = "host.before-claim"
    HOST_CLAIMED = "host.claimed"
    HOST_BEFORE_FORK = "host.before-fork"
    HOST_FORKED = "host.forked"
    HOST_REAPED = "host.reaped"
    HOST_RELEASED = "host.released"
    ENGINE_BORN = "engine.born"
    ENGINE_LOG_OPEN = "engine.log-open"
    ENGINE_LOG_CHANGE = "engine.log-change"
    ENGINE_LISTENS = "engine.listens"
    ENGINE_COMPILED = "engine.compiled"
    ENGINE_CLAIM = "engine.claim"
    ENGINE_OPENED = "engine.opened"
    ENGINE_READY = "engine.ready"
    ENGINE_PROMOTED = "engine.promoted"
    ENGINE_GIVES_WAY = "engine.gives-way"
    ENGINE_STOPPING = "engine.stopping"
    ENGINE_STOPPED = "engine.stopped"
    ENGINE_END_WRITE = "engine.end-write"
    ENGINE_END_WRITTEN = "engine.end-written"
    ENGINE_END_TOLD = "engine.end-told"


def hit(failpoint: Failpoint, error: Callable[[], Exception] | None = None) -> None:
    """Does what the failpoint is armed for, if it is. Raises: what `error` makes, for the action `fail`."""
    if _DIRECTORY is not None:
        _act(Path(_DIRECTORY, failpoint), error)


def io_error() -> OSError:
    """What the system says when a device is broken."""
    return OSError(errno.EIO, "injected failure")


def arm(directory: Path, failpoint: Failpoint, action: Action, process: str = "", *, skip: int = 0) -> None:
    """For tests: the `process` that gets to `failpoint` acts, after `skip` arrivals that pass."""
    _write(directory / failpoint, f"{action} {skip} {process}")


def has_fired(directory: Path, failpoint: Failpoint) -> bool:
    return (directory / f"{failpoint}.fired").exists()


def _act(armed: Path, error: Callable[[], Exception] | None) -> None:
    match _due(armed):
        case "":
            return
        case Action.CRASH:
            os.kill(os.getpid(), signal.SIGKILL)
        case Action.FAIL if error is not None:
            raise error()
        case Action.DELAY:
            time.sleep(DELAY_SECONDS)
        case action:
            raise ValueError(f"failpoint {armed.name} knows no {action!r}")


def _due(armed: Path) -> str:
    """The action that is to be done now, "" when there is none."""
    try:
        action, skip, process = armed.read_text().split(" ")
        if process and process != _process_name():
            return ""
        if int(skip) > 0:
            _write(armed, f"{action} {int(skip) - 1} {process}")
            return ""
        armed.rename(armed.with_name(f"{armed.name}.fired"))
    except OSError:
        return ""  # not armed, or somebody else was first
    return action


def _write(armed: Path, text: str) -> None:
    """At once or not at all: somebody may be reading it."""
    prepared = armed.with_name(f"{armed.name}.{os.getpid()}")
    prepared.write_text(text)
    prepared.rename(armed)


def _process_name() -> str:
    """From the title that all processes of an installation carry: "modelbox-server: runner [DIR]"."""
    words = setproctitle.getproctitle().split()
    if words[:1] != ["modelbox-server:"]:
        return ""
    return "host" if words[1:3] == ["engine", "host"] else words[1]
