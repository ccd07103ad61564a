"""A program that does not stop its flow ends all the same."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
HEAD = """
import os, sys, threading, time
from tests.flow.run.programs import flow_of, passes, push, SUCCESS, unit

closed, made = threading.Event(), []
def feed():
    external = made[0].create_external_data()
    while not closed.is_set():
        buffers = external.create_buffer_list()
        buffers.push_back("x")
        external.send(buffers)
        time.sleep(0.001)
described, make = unit("feeder", lambda context: push(context, *context.external()), inputs=(),
                       closed=lambda: closed.set() or SUCCESS)
make.open = lambda self, config: threading.Thread(target=feed).start() or SUCCESS
def keep():
    made.append(make())
    return made[0]
source = flow_of("feeder[flowunit=feeder]; end[flowunit=end]; feeder:out_1 -> end:in_1",
                 [(described, keep), unit("end", lambda context: SUCCESS, outputs=())])
dot = '''in[type=input, queue_size_external=4]; out[type=output]; u[flowunit=u, queue_size=1]
    in -> u:in_1; u:out_1 -> out'''
flow = flow_of(dot, [unit("u", lambda context: closed.wait() and passes(context))])
for each in (source, flow):
    started = each.start_run()
    assert started, started.wrap_errormsgs()
"""
WAITS = """
io = flow.create_stream_io()
def send():
    while io.send("in", "x"):
        pass
for wait in (send, lambda: io.recv("out"), lambda: flow.wait()):
    threading.Thread(target=wait).start()
raise RuntimeError("forgot it")
"""
FORKS = """
if os.fork() == 0:
    sys.exit(3)
print(os.waitstatus_to_exitcode(os.wait()[1]))
flow.stop()
source.stop()
"""


def run_script(script: str) -> "subprocess.CompletedProcess[str]":
    argv = [sys.executable, "-c", script]
    return subprocess.run(argv, capture_output=True, text=True, timeout=30, cwd=ROOT, check=False)


def test_a_program_that_fails_ends_though_threads_wait_in_its_flow_and_for_it() -> None:
    done = run_script(HEAD + WAITS)
    assert done.returncode == 1
    assert "RuntimeError: forgot it" in done.stderr


def test_a_fork_of_a_program_ends_without_its_flow() -> None:
    done = run_script(HEAD + FORKS)
    assert (done.stdout, done.returncode) == ("3\n", 0), done.stderr
