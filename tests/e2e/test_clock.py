"""The wall clock jumps by days, either way: what happened stays in order, and nobody waits for the wrong time."""

import os
import signal
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

from tests.e2e.test_first_flow import ask
from tests.installation import Installation, echo_flow, free_port
from tests.store.jobs import query

DAY = 86_400


def test_the_clock_may_jump(sqlite_installation: Installation, tmp_path: Path) -> None:
    server, clock = sqlite_installation, tmp_path / "clock"
    clock.write_text("0")
    server.environ |= {"CLOCK_OFFSET": str(clock), "PYTHONPATH": _path_with("wrong_clock")}
    server.start()
    port = free_port()
    assert server.create("aa", echo_flow(port)).status_code == 201
    for days in (2, -3, 0):
        clock.write_text(str(days * DAY))
        _kill_engine(server)
        server.wait_for("aa", "RUNNING")  # within seconds
        assert ask(port).content == b"hello"
        _kill(server, "runner")
        assert server.create("bb", echo_flow(free_port())).status_code == 201
        assert server.delete("bb").status_code == 204
    assert server.run("db", "verify").returncode == 0
    rows = query(
        f"sqlite:///{server.state_dir / 'modelbox.db'}", "SELECT recorded_at FROM event ORDER BY position"
    )
    times = [datetime.fromisoformat(row["recorded_at"]) for row in rows]
    jumps = [later - earlier for earlier, later in pairwise(times)]
    assert max(jumps) > timedelta(days=1), "the clock did not jump: this test shows nothing"
    assert min(jumps) < -timedelta(days=1)


def _path_with(folder: str) -> str:
    parts = [str(Path(__file__).with_name(folder)), os.environ.get("PYTHONPATH", "")]
    return os.pathsep.join(part for part in parts if part)


def _kill_engine(server: Installation) -> None:
    (pid,) = server.engines()["aa"]
    os.kill(pid, signal.SIGKILL)
    server.wait_until("aa", lambda status: status["job_status"] != "RUNNING")


def _kill(server: Installation, part: str) -> None:
    for pid, title in server.processes().items():
        if title.split()[1] == part:
            os.kill(pid, signal.SIGKILL)
