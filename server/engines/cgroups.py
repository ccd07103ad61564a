"""A cgroup (version 2) for each engine: limits for the whole job, and an end that nothing in it escapes.

Engines' groups lie in a directory of their own below one that was delegated to us:

    <delegated>/modelbox-engines-<key of the run directory>/<key of the job>-<incarnation>-<attempt>
"""

import contextlib
import logging
import os
from collections.abc import Collection
from hashlib import sha256
from pathlib import Path

from server.engines.rundir import RunDir, key_of
from server.jobs.limits import Limits

_CONTROLLERS = ("memory", "cpu", "pids")
_PERIOD = 100_000
"""Microseconds over which a share of the CPU is counted."""

_SWAP = "memory.swap.max"

log = logging.getLogger("host")


class Cgroup:
    """One engine's."""

    def __init__(self, path: Path, controllers: frozenset[str]) -> None:
        self.path = path
        self.controllers = controllers

    def enter(self) -> None:
        """Moves this process. Takes some ms: the kernel waits for its CPUs to agree. Raises: OSError."""
        _write(self.path / "cgroup.procs", "0")

    def kill(self) -> None:
        """SIGKILL to all that is in it."""
        with contextlib.suppress(FileNotFoundError):
            _write(self.path / "cgroup.kill", "1")

    def remove(self) -> bool:
        """False while something in it is not quite gone."""
        try:
            self.path.rmdir()
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True

    @property
    def oom_kills(self) -> int:
        """How many of its processes the kernel has killed for want of memory."""
        try:
            lines = (self.path / "memory.events").read_text().splitlines()
        except OSError:
            return 0
        return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


class Cgroups:
    """Raises (on making): OSError, when the directory cannot be used for engines."""

    def __init__(self, delegated: Path, run_dir: RunDir) -> None:
        self._root = delegated / f"modelbox-engines-{sha256(str(run_dir.path).encode()).hexdigest()[:12]}"
        self._root.mkdir(exist_ok=True)
        for controller in _CONTROLLERS:
            for directory in (delegated, self._root):
                _enable(directory, controller)
        enabled = (self._root / "cgroup.subtree_control").read_text().split()
        self.controllers = frozenset(enabled).intersection(_CONTROLLERS)
        self._leftover: list[Cgroup] = []
        _try_out(self._root)

    def make(self, job_id: str, incarnation: int, attempt: int, limits: Limits, seat: int = 0) -> Cgroup:
        """Raises: OSError."""
        group = self.of(job_id, incarnation, attempt, seat)
        group.path.mkdir(exist_ok=True)
        for name, value in settings_of(limits, self.controllers).items():
            # kernels without swap have no such file
            if name != _SWAP or (group.path / name).exists():
                _write(group.path / name, value)
        return group

    def of(self, job_id: str, incarnation: int, attempt: int, seat: int = 0) -> Cgroup:
        return Cgroup(self._root / f"{key_of(job_id, seat)}-{incarnation}-{attempt}", self.controllers)

    def clear(self, job_id: str, seat: int = 0) -> None:
        """Ends and removes whatever groups are left of a job that has no engine in that seat."""
        for path in self._root.glob(f"{key_of(job_id, seat)}-*"):
            self.end(Cgroup(path, self.controllers))

    def end(self, group: Cgroup) -> None:
        """Kills what is left in it and removes it, now or at a later `tidy`."""
        group.kill()
        self._leftover.append(group)
        self.tidy()

    def tidy(self) -> None:
        self._leftover = [group for group in self._leftover if not group.remove()]

    @property
    def has_leftover(self) -> bool:
        """Whether `tidy` has something to do."""
        return bool(self._leftover)

    def close(self) -> None:
        """Removes the common directory, unless engines that stay are in it."""
        self.tidy()
        with contextlib.suppress(OSError):
            self._root.rmdir()


def settings_of(limits: Limits, controllers: Collection[str]) -> dict[str, str]:
    """What is written into which file of a group."""
    settings: dict[str, str] = {}
    if "memory" in controllers and limits.memory:
        # all or none: a job that lost one of its processes would be neither
        settings |= {"memory.max": str(limits.memory), "memory.oom.group": "1", _SWAP: "0"}
    if "cpu" in controllers and limits.cpu:
        settings["cpu.max"] = f"{round(limits.cpu * _PERIOD)} {_PERIOD}"
    if "pids" in controllers and limits.threads:
        settings["pids.max"] = str(limits.threads)
    return settings


def delegated_directory(setting: str) -> Path | None:
    """Where engines' cgroups may be made. `setting`: a directory; "auto" for the one that systemd has delegated to
    this process (Delegate=yes, its own or the one above), if it has; "" for none."""
    if setting != "auto":
        return Path(setting) if setting else None
    own = _own_cgroup()
    if own is None:
        return None
    return next((path for path in (own.parent, own) if _is_delegated(path)), None)


def open_cgroups(setting: str, run_dir: RunDir) -> Cgroups | None:
    """None, with a line in the log, when there is none to be had: limits are kept without, then."""
    directory = delegated_directory(setting)
    if directory is None:
        return None
    try:
        groups = Cgroups(directory, run_dir)
    except OSError as error:
        log.warning("no cgroups for engines under %s: %s", directory, error)
        return None
    missing = [name for name in _CONTROLLERS if name not in groups.controllers]
    log.info("engines get cgroups under %s; not to be had there: %s", directory, ", ".join(missing) or "nothing")
    return groups


def _own_cgroup() -> Path | None:
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
        mounts = Path("/proc/self/mounts").read_text().splitlines()
    except OSError:
        return None
    inside = next((line.removeprefix("0::/") for line in lines if line.startswith("0::/")), None)
    mount = next((line.split()[1] for line in mounts if line.split()[2] == "cgroup2"), None)
    return Path(mount) / inside if inside is not None and mount is not None else None


def _is_delegated(path: Path) -> bool:
    for name in ("user.delegate", "trusted.delegate"):
        with contextlib.suppress(OSError):
            if os.getxattr(path, name) == b"1":
                return True
    return False


def _enable(directory: Path, controller: str) -> None:
    try:
        if controller in (directory / "cgroup.controllers").read_text().split():
            _write(directory / "cgroup.subtree_control", f"+{controller}")
    except OSError as error:
        # most likely EBUSY: with processes in it, a group gives its controllers to none below
        log.warning("the %s controller cannot be had in %s: %s", controller, directory, error)


def _try_out(root: Path) -> None:
    """Raises: OSError, when a process cannot be moved into a group below `root` and killed there."""
    trial = Cgroup(root / f"trial-{os.getpid()}", frozenset())
    trial.path.mkdir()
    try:
        if not (trial.path / "cgroup.kill").exists():
            raise OSError("cgroup.kill is missing; it needs Linux 5.14")
        pid = os.fork()
        if pid == 0:
            try:
                trial.enter()
                os._exit(0)
            finally:
                os._exit(1)
        _, status = os.waitpid(pid, 0)
        if status != 0:
            raise OSError(f"no process may be moved into {trial.path}")
    finally:
        trial.remove()


def _write(path: Path, text: str) -> None:
    with path.open("w") as file:
        file.write(text)
