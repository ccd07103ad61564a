"""The process that examines one graph: a task on stdin, an outcome on stdout, and no more than it is allowed.

`python -m server.flow.examine.child PARENT STATE_DIR SECONDS BYTES IDLE`: SECONDS for the task, IDLE until there
is one. Started early, the process has done by then what is the same for all graphs.
"""

import os
import resource
import signal
import sys
from pathlib import Path
from typing import NoReturn

from server.process import end_with_parent, set_title

OPEN_FILES = 256
LINGER_SECONDS = 2
"""After its time is up the parent ends this process; it ends itself when the parent does not."""


def main(argv: list[str]) -> NoReturn:
    parent, state_dir = int(argv[0]), Path(argv[1])
    seconds, memory, idle = (int(number) for number in argv[2:])
    end_with_parent(parent)
    set_title("examine", state_dir)
    _confine(seconds, memory)
    signal.alarm(idle)
    # imported only now: what they take counts
    import msgspec

    from server.flow.examine.task import Task
    from server.flow.examine.work import carry_out
    from server.flow.graph import warm_up

    warm_up()
    question = sys.stdin.buffer.read()
    signal.alarm(seconds + LINGER_SECONDS)
    task = msgspec.json.decode(question, type=Task)
    sys.stdout.buffer.write(msgspec.json.encode(carry_out(task)))
    sys.stdout.buffer.flush()
    # what Python does at its end takes longer than a small graph
    os._exit(0)


def _confine(seconds: int, memory: int) -> None:
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
    main(sys.argv[1:])
