"""The ends of logs."""

import stat
from collections.abc import Iterator
from pathlib import Path

from server.doctor.processes import server_of
from server.engines.rundir import RunDir

MOST_OF_A_LOG = 256 * 1024
ENGINE_LOGS = 100


def server_log(state_dir: Path) -> str:
    """What `serve` writes to stderr, when that is a file."""
    pid = server_of(state_dir)
    if pid is None:
        return "no server is running\n"
    stderr = Path(f"/proc/{pid}/fd/2")
    if not stat.S_ISREG(stderr.stat().st_mode):
        return f"stderr of process {pid} is no file; under systemd: journalctl _PID={pid}, or -u and the unit\n"
    return end_of(stderr)


def host_log(state_dir: Path) -> str:
    return end_of(RunDir(state_dir).logs / "host.log")


def engine_logs(state_dir: Path) -> Iterator[tuple[str, str]]:
    """(JOB/FILE, its end) of the files that were written last."""
    folder = RunDir(state_dir).logs / "jobs"
    files = [(path, _written(path)) for path in folder.glob("*/*.log")]
    files.sort(key=lambda file: file[1], reverse=True)
    for path, _ in files[:ENGINE_LOGS]:
        try:
            yield str(path.relative_to(folder)), end_of(path)
        except OSError:
            continue  # removed by the retention rule meanwhile


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def end_of(path: Path) -> str:
    """The last MOST_OF_A_LOG bytes, from the beginning of a line. Raises: OSError."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - MOST_OF_A_LOG))
        content = file.read(MOST_OF_A_LOG)
    if size > MOST_OF_A_LOG:
        content = content.partition(b"\n")[2] or content
    return content.decode("utf-8", "replace")
