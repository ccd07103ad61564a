"""Which process is meant: a pid alone may be another program's by now.

A process is known by pid, start time and boot id together, signalled and watched through a pidfd, so that a
signal never hits a stranger who inherited the number.
"""

import asyncio
import os
import signal as signals
import socket
from pathlib import Path

from server.jobs.events import EngineIdentity

_STATE, _SESSION, _THREADS, _START_TIME = 0, 3, 17, 19
"""Places in /proc/PID/stat after the command name: fields 3, 6, 20 and 22."""


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _stat_fields(pid: int) -> list[bytes] | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # the command name may hold spaces and parentheses: the fields begin after the last one
    return stat[stat.rindex(b")") + 2 :].split()


def _runs(fields: list[bytes]) -> bool:
    """A zombie does not run; one whose other threads have not ended yet is none, and cannot be waited for."""
    return fields[_STATE] not in (b"Z", b"X") or int(fields[_THREADS]) > 1


def start_time_of(pid: int, *, living: bool = False) -> int | None:
    """When the process that is `pid` now was started; None when there is none, or with `living` only a zombie."""
    fields = _stat_fields(pid)
    if fields is None or (living and not _runs(fields)):
        return None
    return int(fields[_START_TIME])


def identity_of(pid: int, run_dir: Path | str) -> EngineIdentity:
    """Who `pid` is now. Raises: ProcessLookupError, when there is no such process."""
    fields = _stat_fields(pid)
    if fields is None:
        raise ProcessLookupError(f"there is no process {pid}")
    return EngineIdentity(
        pid=pid,
        start_time=int(fields[_START_TIME]),
        boot_id=boot_id(),
        host=socket.gethostname(),
        run_dir=str(run_dir),
    )


def is_alive(identity: EngineIdentity) -> bool:
    """True while that very process runs."""
    fields = _stat_fields(identity.pid)
    if fields is None or int(fields[_START_TIME]) != identity.start_time:
        return False
    return _runs(fields) and identity.boot_id == boot_id()


def open_pidfd(identity: EngineIdentity) -> int | None:
    """A pidfd of that very process, to be closed by the caller; None when it is gone (a zombie is not gone)."""
    try:
        pidfd = os.pidfd_open(identity.pid)
    except OSError:
        return None
    fields = _stat_fields(identity.pid)
    # checked after opening: from here on the descriptor cannot come to mean another process
    if fields is None or int(fields[_START_TIME]) != identity.start_time or identity.boot_id != boot_id():
        os.close(pidfd)
        return None
    return pidfd


def signal(identity: EngineIdentity, number: signals.Signals) -> bool:
    """Signals that very process. False when it is gone."""
    pidfd = open_pidfd(identity)
    if pidfd is None:
        return False
    try:
        signals.pidfd_send_signal(pidfd, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(pidfd)
    return True


async def wait_for_exit(identity: EngineIdentity) -> None:
    """Returns when that process has ended, reaped or not."""
    pidfd = open_pidfd(identity)
    if pidfd is None:
        return
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(pidfd, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(pidfd)
        os.close(pidfd)


def session_members(identity: EngineIdentity) -> list[int]:
    """Processes of the session that `identity` led, itself excluded.

    Sound after its end too: the kernel gives a number away again only when no session of that number is left,
    so a stranger with this pid means that nobody of the old session lives.
    """
    leader = _stat_fields(identity.pid)
    if leader is not None and int(leader[_START_TIME]) != identity.start_time:
        return []
    members = []
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit() or int(entry.name) == identity.pid:
            continue
        fields = _stat_fields(int(entry.name))
        if fields is not None and int(fields[_SESSION]) == identity.pid and _runs(fields):
            members.append(int(entry.name))
    return members


def kill_session(identity: EngineIdentity) -> int:
    """SIGKILL to what is left of the session that `identity` led, itself excluded. Returns how many were hit."""
    if identity.boot_id != boot_id():
        return 0
    killed = 0
    for pid in session_members(identity):
        try:
            pidfd = os.pidfd_open(pid)
        except OSError:
            continue
        try:
            fields = _stat_fields(pid)
            if fields is not None and int(fields[_SESSION]) == identity.pid:
                signals.pidfd_send_signal(pidfd, signals.SIGKILL)
                killed += 1
        except ProcessLookupError:
            continue
        finally:
            os.close(pidfd)
    return killed
