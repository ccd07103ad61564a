"""How soon a waiting runner leads and serves after the leader's death. `python -m bench.takeover [ROUNDS]`

From kill -9 of the leader until the next `leader-elected` is in the log, and until a create is answered by it.
"""

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.report import print_report
from tests.history import read_history
from tests.installation import Installation, echo_flow, free_port
from tests.postgres import running_postgres


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    figures = {"sqlite": measure(rounds, None)}
    with running_postgres() as postgres:
        figures["postgres"] = measure(rounds, postgres.new_database())
    print_report("takeover", figures)


def measure(rounds: int, url: str | None) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder, Installation(Path(folder) / "state", url) as server:
        server.start()
        assert server.create("aa", echo_flow(free_port())).status_code == 201
        elected, served = zip(*(take_over(server, number) for number in range(rounds)), strict=True)
        return {
            "until elected, s, median": round(statistics.median(elected), 2),
            "until elected, s, max": round(max(elected), 2),
            "until a create is answered, s, median": round(statistics.median(served), 2),
            "until a create is answered, s, max": round(max(served), 2),
        }


def take_over(server: Installation, number: int) -> tuple[float, float]:
    leader = runner_of(server)
    waiting = subprocess.Popen(server.command("runner"), stderr=subprocess.DEVNULL)
    while "runner" not in server.processes().get(waiting.pid, ""):
        time.sleep(0.01)
    time.sleep(0.5)
    serve = next(pid for pid, title in server.processes().items() if title.split()[1] == "serve")
    before = epochs(server)
    os.kill(serve, signal.SIGSTOP)
    killed = time.monotonic()
    os.kill(leader, signal.SIGKILL)
    while epochs(server) == before:
        time.sleep(0.005)
    elected = time.monotonic() - killed
    assert server.create(f"job-{number}", echo_flow(free_port())).status_code == 201
    served = time.monotonic() - killed
    # back to where it began: the supervisor's own runner leads
    waiting.kill()
    waiting.wait()
    os.kill(serve, signal.SIGCONT)
    while epochs(server) == before + 1:
        time.sleep(0.02)
    return elected, served


def epochs(server: Installation) -> int:
    rows = read_history(server.database_url or server.state_dir / "modelbox.db")
    return sum(row.type == "leader-elected" for row in rows)


def runner_of(server: Installation) -> int:
    return next(pid for pid, title in server.processes().items() if title.split()[1] == "runner")


if __name__ == "__main__":
    main()
