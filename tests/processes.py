"""Finding and ending the processes of one installation, by the state directory that they all carry."""

import os
import signal
import time
from pathlib import Path

PROCESS_PREFIX = "modelbox-server: "


def processes_of(state_dir: Path) -> dict[int, str]:
    """pid -> title, for every live process of the installation."""
    found: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if str(state_dir) in line and state != "Z" and "bin/pytest" not in line:
            found[int(entry.name)] = line
    return found


def engines_of(state_dir: Path) -> dict[str, list[int]]:
    """job id -> pids of its engines."""
    engines: dict[str, list[int]] = {}
    for pid, title in processes_of(state_dir).items():
        if title.startswith(f"{PROCESS_PREFIX}engine of job "):
            job_id = title.removeprefix(f"{PROCESS_PREFIX}engine of job ").split(" [")[0]
            engines.setdefault(job_id, []).append(pid)
    return engines


def kill_all(state_dir: Path) -> None:
    """kill -9 of every process of the installation, until none is left."""
    deadline = time.monotonic() + 10
    while pids := processes_of(state_dir):
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        assert time.monotonic() < deadline, f"cannot be killed: {pids}"
        time.sleep(0.005)
