"""What the machine offers: descriptors, cgroups, the state directory's file system."""

import os
import resource
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil

from server.doctor.finding import Finding, ok, problem, warning
from server.engines.cgroups import delegated_directory

FEW_DESCRIPTORS = 4096
LITTLE_SPACE = 1024**3
NO_SPACE = 100 * 1024**2
_REMOTE = ("nfs", "cifs", "smb", "ceph", "glusterfs", "lustre", "afs", "9p", "fuse.sshfs", "fuse.s3")
_FLEETING = ("tmpfs", "ramfs")


def examine(state_dir: Path, cgroup: str) -> Iterator[Finding]:
    yield descriptors(resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    yield cgroups(cgroup)
    yield from state_directory(state_dir)


def descriptors(hard: int) -> Finding:
    """The soft limit is raised to this one by the processes themselves."""
    if hard != resource.RLIM_INFINITY and hard < FEW_DESCRIPTORS:
        mend = "raise it: LimitNOFILE= of the systemd unit, or `ulimit -Hn` before the start"
        return warning("descriptors", f"at most {hard} for each process; each job costs the runner a few", mend)
    return ok("descriptors", "no limit" if hard == resource.RLIM_INFINITY else f"up to {hard} for each process")


def cgroups(setting: str) -> Finding:
    if not setting:
        return ok("cgroups", 'none, as configured (engine.cgroup = ""): limits are kept by looking')
    directory = delegated_directory(setting)
    if directory is None:
        return ok(
            "cgroups",
            "none is delegated to this shell, limits are kept by looking;"
            " under systemd, Delegate=yes has the kernel keep them",
        )
    if not (directory / "cgroup.controllers").is_file():
        return problem(
            "cgroups", f"{directory} is no cgroup of version 2", "name another as engine.cgroup, or none"
        )
    if not os.access(directory, os.W_OK):
        return problem(
            "cgroups", f"{directory} may not be written", f"chown it to {_user()}, or set engine.cgroup to another"
        )
    return ok("cgroups", f"engines get theirs under {directory}")


def state_directory(state_dir: Path) -> Iterator[Finding]:
    about = "state directory"
    if not state_dir.is_dir():
        parent = next(path for path in state_dir.parents if path.exists())
        if state_dir.exists() or not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
            yield problem(
                about,
                f"{state_dir} cannot be made",
                f"let {_user()} write in {parent}, or name another: --state-dir",
            )
            return
        yield ok(about, f"{state_dir} is not there yet; the first start makes it")
        yield from _file_system(parent)
        return
    try:
        with tempfile.TemporaryFile(dir=state_dir) as file:
            file.write(b"x")
    except OSError as error:
        yield problem(
            about, f"{state_dir} cannot be written: {error.strerror}", f"chown it to {_user()}; free space"
        )
        return
    yield ok(about, f"{state_dir} can be written")
    if state_dir.stat().st_mode & 0o077:
        yield warning(
            about,
            f"{state_dir} is open to other users of this machine",
            f"chmod 700 {state_dir}: what it holds is yours",
        )
    yield from _file_system(state_dir)


def _file_system(path: Path) -> Iterator[Finding]:
    kind = file_system_of(path, [(part.mountpoint, part.fstype) for part in psutil.disk_partitions(all=True)])
    if kind.startswith(_REMOTE):
        yield problem(
            "file system",
            f"{path} is on {kind}, where locks and SQLite cannot be relied on",
            "put the state directory on a disk of this machine",
        )
    elif kind in _FLEETING:
        yield warning(
            "file system", f"{path} is on {kind}: a reboot empties it", "put the state directory on a disk"
        )
    else:
        yield ok("file system", f"{path} is on {kind or 'an unknown one'}")
    free = psutil.disk_usage(str(path)).free
    said = f"{free // 1024**2} MiB free"
    if free < NO_SPACE:
        yield problem("free space", said, "free some: commands are refused on a full disk")
    elif free < LITTLE_SPACE:
        yield warning("free space", said, "free some, or bound the logs: log.max_bytes")
    else:
        yield ok("free space", said)


def file_system_of(path: Path, mounts: list[tuple[str, str]]) -> str:
    """`mounts`: (mount point, type), in the order of mounting; "" when none is known."""
    resolved = path.resolve()
    above = [(point, kind) for point, kind in mounts if resolved.is_relative_to(point)]
    return max(above, key=lambda mount: len(mount[0]))[1] if above else ""


def _user() -> str:
    try:
        return psutil.Process().username()
    except (KeyError, psutil.Error):
        return f"user {os.getuid()}"
