"""A pid that is another process by now is nobody's."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from server.engines import identity as id
from server.jobs.events import EngineIdentity
from tests.engines.conftest import wait_until


@pytest.fixture
def sleeper() -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(["sleep", "100"], start_new_session=True)
    yield process
    process.kill()
    process.wait()


def who(process: "subprocess.Popen[bytes]") -> EngineIdentity:
    return id.identity_of(process.pid, "/run")


def test_a_process_is_alive_until_it_is_killed(sleeper: "subprocess.Popen[bytes]") -> None:
    identity = who(sleeper)
    assert id.is_alive(identity)
    assert id.signal(identity, signal.SIGKILL)
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert not id.is_alive(identity), "a zombie is not alive"
    sleeper.wait()
    assert not id.is_alive(identity)
    assert not id.signal(identity, signal.SIGKILL)


MAIN_THREAD_ENDS = """
import ctypes, threading, time
threading.Thread(target=time.sleep, args=(100,), daemon=True).start()
ctypes.CDLL(None).pthread_exit(None)
"""


def test_a_process_is_alive_until_its_last_thread_has_ended() -> None:
    process = subprocess.Popen([sys.executable, "-c", MAIN_THREAD_ENDS])
    identity = who(process)
    wait_until(lambda: b") Z " in Path(f"/proc/{process.pid}/stat").read_bytes(), "its main thread has ended")
    assert id.is_alive(identity)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not id.is_alive(identity)
    process.wait()


@pytest.mark.parametrize("other", [{"start_time": 1}, {"boot_id": "another boot"}])
def test_a_stranger_with_the_same_pid_is_left_alone(
    sleeper: "subprocess.Popen[bytes]", other: dict[str, object]
) -> None:
    stranger = replace(who(sleeper), **other)
    assert not id.is_alive(stranger)
    assert not id.signal(stranger, signal.SIGKILL)
    assert id.kill_session(stranger) == 0
    assert sleeper.poll() is None


def test_nobody_has_no_identity() -> None:
    with pytest.raises(ProcessLookupError):
        id.identity_of(2**22 + 1, "/run")


async def test_waiting_for_an_exit(sleeper: "subprocess.Popen[bytes]") -> None:
    waiting = asyncio.create_task(id.wait_for_exit(who(sleeper)))
    done, _ = await asyncio.wait((waiting,), timeout=0.05)
    assert not done
    sleeper.kill()
    async with asyncio.timeout(5):
        await waiting


def test_a_session_is_killed_without_its_leader() -> None:
    leader = subprocess.Popen(
        ["sh", "-c", "sleep 100 & sleep 100 & echo ready; wait"], start_new_session=True, stdout=subprocess.PIPE
    )
    assert leader.stdout is not None
    leader.stdout.readline()
    identity = who(leader)
    members = id.session_members(identity)
    assert len(members) == 2
    leader.kill()
    leader.wait()
    assert sorted(id.session_members(identity)) == sorted(members)
    assert id.kill_session(identity) == 2
    leader.stdout.close()
