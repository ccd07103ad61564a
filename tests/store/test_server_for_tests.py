"""The Postgres of the tests leaves nothing behind."""

import signal
import subprocess
import sys
from pathlib import Path

import psutil

from tests.postgres import _remove_left_over

PROGRAM = (
    "import time\nfrom tests.postgres import Postgres\n"
    "server = Postgres(durable=False)\nprint(server._process.pid, server._root, flush=True)\ntime.sleep(600)\n"
)


def test_it_ends_with_a_session_that_is_killed() -> None:
    session = subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True)
    assert session.stdout is not None
    pid, root = session.stdout.readline().split()
    server = psutil.Process(int(pid))
    family = [server, *server.children()]
    assert len(family) > 1

    session.send_signal(signal.SIGKILL)
    session.wait()
    session.stdout.close()

    _, alive = psutil.wait_procs(family, timeout=30)
    assert alive == []
    _remove_left_over()
    assert not Path(root).exists()
