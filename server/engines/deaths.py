"""What a child's end tells: whether it died for want of memory."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

from server.engines.cgroups import Cgroup
from server.engines.logs.files import Attempt, newest_file
from server.engines.protocol import EngineHead
from server.engines.rations import Excess
from server.engines.rundir import RunDir
from server.flow.status import StatusCode

BIRTH_FAILED = 70
"""Exit code of a child that failed on its way to an engine, or whose engine did; its trace is in the log."""

_LAST_WORDS = 16 * 1024
"""Bytes at the end of an engine's log in which a failed allocation is looked for."""
_SIGNS = ("std::bad_alloc", "MemoryError")


@dataclass(frozen=True)
class Child:
    head: EngineHead
    group: Cgroup | None


class Deaths:
    def __init__(self, run_dir: RunDir) -> None:
        self._run_dir = run_dir
        self._oom_kills = _oom_kills()

    def starvation(self, child: Child, ended: os.waitid_result) -> Excess | None:
        """In words, when it died for want of memory, as far as can be told. Asked once for each end."""
        kills, self._oom_kills = self._oom_kills, _oom_kills()
        killed = ended.si_code != os.CLD_EXITED and ended.si_status == signal.SIGKILL
        words = ""
        if child.group is not None and child.group.oom_kills:
            words = "the job reached its memory limit and was killed by the system"
        elif killed and self._oom_kills > kills:
            words = "the engine process was killed by the system for want of memory"
        elif ended.si_status in (signal.SIGABRT, BIRTH_FAILED) and (sign := self._sign_in_log(child)):
            words = f"the engine process ended with {sign}"
        return Excess(f"{StatusCode.NOMEM.text}, {words}", of_memory=True) if words else None

    def _sign_in_log(self, child: Child) -> str:
        head = child.head
        file = newest_file(self._run_dir.job_logs(head.job_id), Attempt(head.incarnation, head.attempt))
        if file is None:
            return ""
        try:
            with file.path.open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - _LAST_WORDS))
                tail = log.read(_LAST_WORDS)
        except OSError:
            return ""
        return next((sign for sign in _SIGNS if sign.encode() in tail), "")


def _oom_kills() -> int:
    """Of the whole machine, since its boot."""
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
