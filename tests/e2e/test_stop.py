"""DELETE ends whatever a job does, and whatever it has started, within its grace period and little more."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.e2e.test_first_flow import ask
from tests.flow.unitapi.folders import chain, write_unit
from tests.installation import Installation, echo_flow, free_port

SLEEPER = """
    import modelbox
    import time

    class Unit(modelbox.FlowUnit):
        def process(self, ctx):
            open({started!r}, "w").close()
            for buffer in ctx.input("in_1"):
                time.sleep(float(str(buffer)))
                ctx.output("out_1").push_back("slept")
            return modelbox.Status()
"""
MISBEHAVED = """
    import modelbox
    import ctypes
    import os
    import signal

    def misbehave():
        {misbehaviour}

    class Unit(modelbox.FlowUnit):
        def open(self, config):
            {in_open}
            return modelbox.Status()

        def process(self, ctx):
            open({started!r}, "w").close()
            misbehave()
            return modelbox.Status()

        def close(self):
            misbehave()
"""
MISBEHAVIOURS = (
    # a loop in Python
    "while True: pass",
    # a wait in C that keeps the interpreter's lock
    "ctypes.PyDLL(None).pause()",
    # SIGTERM ignored, and a loop
    "ctypes.CDLL(None).signal(15, 1)\n        while True: pass",
    # signals blocked and ignored, and a wait in C
    "signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())\n"
    "        ctypes.CDLL(None).signal(15, 1)\n        ctypes.PyDLL(None).pause()",
)
STARTER = """
    import modelbox
    import subprocess
    import sys

    WAITS = "import signal, sys, time; signal.signal(15, {handler}); print(1, flush=True); time.sleep(1000)"
    POLITE = WAITS.format(handler="lambda *_: (open({left!r}, 'w').close(), sys.exit())")
    RUDE = WAITS.format(handler="signal.SIG_IGN")
    DAEMON = "import os; os.setsid(); os.fork() and os._exit(0); " + RUDE.replace("print(1", "print(os.getpid()")

    class Unit(modelbox.FlowUnit):
        def open(self, config):
            pids = []
            for program in (POLITE, RUDE):
                process = subprocess.Popen([sys.executable, "-S", "-c", program], stdout=subprocess.PIPE)
                process.stdout.readline()
                pids.append(process.pid)
            daemon = subprocess.Popen([sys.executable, "-S", "-c", DAEMON], stdout=subprocess.PIPE)
            pids.append(int(daemon.stdout.readline()))
            daemon.wait()
            open({pids!r}, "w").write(" ".join(map(str, pids)))
            return modelbox.Status()

        def process(self, ctx):
            return modelbox.Status()
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Installation]:
    conf = tmp_path / "server.toml"
    conf.write_text("[engine]\nstop_grace = 1.0\nmax_starting = 2\n")
    with Installation(tmp_path / "state", None, "--conf", str(conf)) as installation:
        yield installation.start()


def post(port: int, content: str, timeout: float = 20) -> httpx.Response:
    return httpx.post(f"http://127.0.0.1:{port}/v1/x", content=content, timeout=timeout, trust_env=False)


def is_running(pid: int) -> bool:
    try:
        return b") Z " not in Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} does not appear"
        time.sleep(0.01)


def test_requests_in_flight_are_finished_or_answered_503(server: Installation, tmp_path: Path) -> None:
    jobs = {"short": "0.3", "long": "60"}
    with ThreadPoolExecutor() as clients:
        answers = {}
        for job, seconds in jobs.items():
            started, port = tmp_path / job / "started", free_port()
            write_unit(tmp_path / job, "sleeper", SLEEPER.replace("{started!r}", repr(str(started))))
            assert server.create(job, chain(port, tmp_path / job, "sleeper")).status_code == 201
            answers[job] = clients.submit(post, port, seconds)
            wait_for(started)
            assert server.delete(job).status_code == 204
    assert {job: answer.result().status_code for job, answer in answers.items()} == {"short": 200, "long": 503}
    assert server.engines() == {}


def test_units_that_ignore_everything_hold_nothing(server: Installation, tmp_path: Path) -> None:
    other, ports = free_port(), {f"bad-{n}": free_port() for n in range(len(MISBEHAVIOURS))}
    assert server.create("calm", echo_flow(other)).status_code == 201
    for misbehaviour, (job, port) in zip(MISBEHAVIOURS, ports.items(), strict=True):
        code = MISBEHAVED.format(
            misbehaviour=misbehaviour, in_open="pass", started=str(tmp_path / job / "started")
        )
        write_unit(tmp_path / job, "bad", code)
        assert server.create(job, chain(port, tmp_path / job, "bad")).status_code == 201
    with ThreadPoolExecutor() as clients:
        for job, port in ports.items():
            clients.submit(_never_mind, port)
            wait_for(tmp_path / job / "started")
        # the others do not notice: neither the server, nor another job, nor the next ones on the same ports
        assert ask(other).content == b"hello"
        assert server.word("calm") == "RUNNING"
        assert [answer.status_code for answer in clients.map(server.delete, ports)] == [204] * len(ports)
    assert set(server.engines()) == {"calm"}
    for job, port in ports.items():
        assert server.create(job, echo_flow(port)).status_code == 201
        assert ask(port).content == b"hello"


def _never_mind(port: int) -> None:
    try:
        post(port, "x")
    except httpx.TransportError:
        return


def test_units_that_hang_while_they_open_keep_no_other_job_from_starting(
    server: Installation, tmp_path: Path
) -> None:
    code = MISBEHAVED.format(misbehaviour="ctypes.PyDLL(None).pause()", in_open="misbehave()", started="")
    write_unit(tmp_path / "units", "bad", code)
    for job in ("bad-1", "bad-2"):
        assert server.create_async(job, chain(free_port(), tmp_path / "units", "bad")).status_code == 202
    assert server.create("calm", echo_flow(free_port())).status_code == 201
    assert server.word("calm") == "RUNNING"
    for job in ("bad-1", "bad-2"):
        server.wait_for(job, "CREATEING")  # the last one that was asked for goes first
    with ThreadPoolExecutor() as clients:
        assert [answer.status_code for answer in clients.map(server.delete, ("bad-1", "bad-2"))] == [204, 204]
    assert set(server.engines()) == {"calm"}


def test_what_units_started_is_asked_to_go_and_then_made_to(server: Installation, tmp_path: Path) -> None:
    left, pids = tmp_path / "left", tmp_path / "pids"
    code = STARTER.replace("{left!r}", repr(str(left))).replace("{pids!r}", repr(str(pids)))
    write_unit(tmp_path / "units", "starter", code)
    assert server.create("aa", chain(free_port(), tmp_path / "units", "starter")).status_code == 201
    started = [int(word) for word in pids.read_text().split()]
    assert all(map(is_running, started))
    assert server.delete("aa").status_code == 204
    assert left.exists()
    assert not any(map(is_running, started))
