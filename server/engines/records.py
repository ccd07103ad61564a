"""What lies in the run directory: who an engine is (its lock file), how it ended (its end file), who leads."""

import fcntl
import os
from pathlib import Path

import msgspec

from server.engines.protocol import EndRecord, EngineHead
from server.engines.rundir import RunDir, write_atomically
from server.jobs.events import EngineIdentity


def take_lock(path: Path) -> int | None:
    """A descriptor that holds the lock of `path`, None when another process does. It is released when the last
    copy of the descriptor is closed, so it may pass through a fork."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def write_owner(lock: int, owner: EngineHead | EngineIdentity) -> None:
    """Says in a lock's file who holds it."""
    content = msgspec.json.encode(owner)
    os.pwrite(lock, content, 0)
    os.ftruncate(lock, len(content))


def read_host(run_dir: RunDir) -> EngineIdentity | None:
    """The engine host that holds, or held last, the lock of this run directory."""
    try:
        return msgspec.json.decode((run_dir.path / "host.lock").read_bytes(), type=EngineIdentity)
    except (OSError, msgspec.DecodeError):
        return None


def read_head(run_dir: RunDir, job_id: str, seat: int = 0) -> EngineHead | None:
    """Who holds, or held last, the lock of that seat of the job; None while an engine is only being born."""
    return read_head_file(run_dir.of_engine(job_id, "lock", seat))


def read_head_file(path: Path) -> EngineHead | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=EngineHead)
    except (OSError, msgspec.DecodeError):
        return None


def write_end(run_dir: RunDir, record: EndRecord) -> None:
    head = record.head
    write_atomically(run_dir.of_engine(head.job_id, "end", head.seat), msgspec.json.encode(record))


def read_end(run_dir: RunDir, job_id: str, seat: int = 0) -> EndRecord | None:
    try:
        return msgspec.json.decode(run_dir.of_engine(job_id, "end", seat).read_bytes(), type=EndRecord)
    except (OSError, msgspec.DecodeError):
        return None


def forget_end(run_dir: RunDir, job_id: str, seat: int = 0) -> None:
    run_dir.of_engine(job_id, "end", seat).unlink(missing_ok=True)


def newest_epoch(run_dir: RunDir, log: str) -> int:
    """Of the leaders of that log who have been at work here; 0 before the first."""
    return max((epoch for epoch, _ in _noted(run_dir, log)), default=0)


def note_epoch(run_dir: RunDir, log: str, epoch: int) -> None:
    """A file for each, made before older ones are removed: a leader that was paused in here cannot take its word
    back to an older number. Raises: OSError."""
    older = _noted(run_dir, log)
    if older and epoch <= max(older)[0]:
        return
    (run_dir.path / f"epoch.{log}.{epoch}").touch(mode=0o600)
    for number, path in older:
        if number < epoch:
            path.unlink(missing_ok=True)


def _noted(run_dir: RunDir, log: str) -> list[tuple[int, Path]]:
    found = ((path.suffix[1:], path) for path in run_dir.path.glob(f"epoch.{log}.*"))
    return [(int(number), path) for number, path in found if number.isdigit()]
