"""Finding and ending the processes of one installation, by the state directory that they all carry."""

import os
import signal
import time
from pathlib import Path

PROCESS_PREFIX = "modelbox-server: "


def processes_of(state_dir: Path) -> dict[int, str]:
    """pid -> title, for every live process of the installation."""
    found: dict[int, str] = {}
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            line = Path(f"/proc/{name}/cmdline").read_bytes()
            if os.fsencode(state_dir) not in line or b"bin/pytest" in line:
                continue
            state = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if state != "Z":
            found[int(name)] = line.replace(b"\0", b" ").decode("utf-8", "replace").strip()
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
