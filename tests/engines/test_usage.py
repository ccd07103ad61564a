"""What engines take of the machine, by their processes' own account."""

import mmap
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from msgspec.structs import replace

from server.engines.identity import identity_of
from server.engines.usage import UsageReader
from server.jobs.events import EngineIdentity

MEGABYTE = 1024 * 1024
BUSY = f"""
import subprocess, sys, threading, time
held = bytearray({20 * MEGABYTE})
files = [open("/dev/null") for _ in range(7)]
threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
child = subprocess.Popen(["sleep", "1000"])
while time.process_time() < 0.2:
    pass
print(child.pid, flush=True)
sys.stdin.readline()
child.kill()
child.wait()
"""
LATER = 10.0


@contextmanager
def busy() -> Iterator[tuple[EngineIdentity, subprocess.Popen[str]]]:
    with subprocess.Popen([sys.executable, "-c", BUSY], stdin=-1, stdout=-1, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        try:
            yield identity_of(process.pid, "/r"), process
        finally:
            process.communicate("end\n")


def soon() -> float:
    return time.monotonic() + LATER


def test_a_process_and_what_it_started() -> None:
    with busy() as (identity, _):
        usage = UsageReader().read([identity], soon())[identity]
    assert usage.processes == 2
    assert usage.threads == 3
    assert usage.cpu_seconds > 0.15  # read in ticks, user and system time each rounded down
    assert usage.memory > 20 * MEGABYTE
    # its own: three of the standard ones, the files; the child's: the standard ones
    assert usage.fds >= 3 + 7 + 3


def test_exact_memory_is_read_again_when_it_has_changed() -> None:
    reader = UsageReader()
    identity = identity_of(os.getpid(), "/r")
    before = reader.read([identity], soon())[identity].memory
    # not of what the process was given before, and has to spare
    with mmap.mmap(-1, 30 * MEGABYTE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as held:
        held.write(b"x" * len(held))
        after = reader.read([identity], soon())[identity].memory
    assert after - before > 15 * MEGABYTE


def test_who_is_gone_is_not_told_of() -> None:
    with busy() as (identity, _):
        stranger = replace(identity, start_time=identity.start_time + 1)
        reader = UsageReader()
        assert set(reader.read([identity, stranger], soon())) == {identity}
    assert reader.read([identity], soon()) == {}


def test_what_cannot_be_read_in_time_is_as_it_was() -> None:
    reader = UsageReader()
    me = identity_of(os.getpid(), "/r")
    assert reader.read([me], time.monotonic() - 1) == {}
    known = reader.read([me], soon())
    assert reader.read([me], time.monotonic() - 1) == known
