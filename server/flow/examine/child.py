"""The process that examines one graph: a task on stdin, an outcome on stdout, and no more than it is allowed.

`python -m server.flow.examine.child PARENT STATE_DIR SECONDS BYTES`
"""

import resource
import signal
import sys
from pathlib import Path

from server.process import end_with_parent, set_title

OPEN_FILES = 256
LINGER_SECONDS = 2
"""After its time is up the parent ends this process; it ends itself when the parent does not."""


def main(argv: list[str]) -> int:
    parent, state_dir, seconds, memory = int(argv[0]), Path(argv[1]), int(argv[2]), int(argv[3])
    end_with_parent(parent)
    set_title("examine", state_dir)
    _confine(seconds, memory)
    # imported only now: what they take counts
    import msgspec

    from server.flow.examine.task import Task
    from server.flow.examine.work import carry_out

    task = msgspec.json.decode(sys.stdin.buffer.read(), type=Task)
    sys.stdout.buffer.write(msgspec.json.encode(carry_out(task)))
    sys.stdout.buffer.flush()
    return 0


def _confine(seconds: int, memory: int) -> None:
    signal.alarm(seconds + LINGER_SECONDS)
    for which, most in (
        (resource.RLIMIT_CPU, seconds + LINGER_SECONDS),
        (resource.RLIMIT_DATA, memory),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(which)
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(which, (bound, bound))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
