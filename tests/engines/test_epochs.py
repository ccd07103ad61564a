"""Who may command an engine: the newest leader of its log, and nobody who was the leader before."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from server.engines.driver import EngineFenced, EngineRefused, Exited, Ready, Refusal
from server.engines.identity import boot_id, identity_of
from server.engines.local import NO_JOB, LocalDriver
from server.engines.protocol import Ended, EndRecord, EngineHead
from server.engines.records import newest_epoch, note_epoch
from server.engines.rundir import RunDir
from server.flow.status import StatusCode
from tests.engines.conftest import kill_host
from tests.engines.jobs import next_news, spec_of

RUNTIME = "tests.engines.tiny_flow:TinyRuntime"


def test_an_epoch_is_never_taken_back(tmp_path: Path) -> None:
    run_dir = RunDir(tmp_path)
    run_dir.create()
    for epoch, newest in ((3, 3), (2, 3), (10, 10), (9, 10)):
        note_epoch(run_dir, "log", epoch)
        assert newest_epoch(run_dir, "log") == newest
    assert newest_epoch(run_dir, "other") == 0
    assert [path.name for path in run_dir.path.glob("epoch.*")] == ["epoch.log.10"]


async def test_a_deposed_leader_cannot_end_an_engine_that_does_not_answer(
    driver: LocalDriver, state_dir: Path
) -> None:
    old = await driver.start(spec_of(epoch=1))
    assert isinstance(await next_news(old), Ready)
    new = LocalDriver(state_dir, RUNTIME)
    adopted = await new.adopt("a", 2)
    assert adopted is not None
    os.kill(old.identity.pid, signal.SIGSTOP)
    with pytest.raises(EngineFenced):
        await old.stop(0.1)
    with pytest.raises(EngineFenced):
        await old.kill()
    os.kill(old.identity.pid, signal.SIGCONT)
    assert await adopted.ping(5)
    await new.close()


async def test_a_new_host_refuses_a_deposed_leader_too(driver: LocalDriver, state_dir: Path) -> None:
    await driver.start(spec_of("a", epoch=2))
    kill_host(state_dir)
    with pytest.raises(EngineRefused) as refused:
        await driver.start(spec_of("b", epoch=1))
    assert refused.value.kind == Refusal.OLD_EPOCH


async def test_epochs_of_another_log_say_nothing_and_its_engines_are_nobodys(
    driver: LocalDriver, state_dir: Path
) -> None:
    """The database was replaced: its first leader has a smaller number than the engines have seen."""
    engine = await driver.start(spec_of("a", epoch=57))
    assert isinstance(await next_news(engine), Ready)
    other = LocalDriver(state_dir, RUNTIME, log="other")
    found = await other.adopt("a", 1)
    assert found is not None
    assert (found.identity, found.hello.head.incarnation) == (engine.identity, NO_JOB)
    await found.stop(1)
    again = await other.start(spec_of("a", epoch=1))
    assert isinstance(await next_news(again), Ready)
    assert again.hello.head.incarnation == 1
    await other.close()


@pytest.fixture
def stranger() -> Iterator["subprocess.Popen[bytes]"]:
    """A process of somebody else, which has the pid that our files name."""
    process = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    yield process
    process.kill()
    process.wait()


@pytest.mark.parametrize("forged", [{"start_time": 1}, {"boot_id": "00000000-0000-0000-0000-000000000000"}])
async def test_a_stranger_with_an_engines_pid_is_neither_adopted_nor_signalled(
    driver: LocalDriver, state_dir: Path, stranger: "subprocess.Popen[bytes]", forged: dict[str, object]
) -> None:
    """Its pid was given away again; or the machine was booted anew, and pid and start time happen to agree."""
    run_dir = RunDir(state_dir)
    run_dir.create()
    identity = replace(identity_of(stranger.pid, run_dir.path), **forged)
    head = EngineHead(job_id="a", incarnation=1, attempt=1, epoch=1, identity=identity)
    run_dir.of_engine("a", "lock").write_bytes(msgspec.json.encode(head))
    assert driver.alive() == []
    assert await driver.list() == []
    assert await driver.adopt("a", 2, identity) is None
    assert await driver.adopt("a", 2, replace(identity, run_dir="/another/run")) is None
    engine = await driver.start(spec_of("a", attempt=2, epoch=2))
    assert isinstance(await next_news(engine), Ready)
    await engine.stop(1)
    assert stranger.poll() is None


async def test_an_end_from_before_a_reboot_is_still_an_end(
    driver: LocalDriver, state_dir: Path, stranger: "subprocess.Popen[bytes]"
) -> None:
    """Nobody had recorded it. The process that has its pid now is not ended with it."""
    run_dir = RunDir(state_dir)
    run_dir.create()
    assert boot_id() != "another"
    identity = replace(identity_of(stranger.pid, run_dir.path), boot_id="another")
    head = EngineHead(job_id="a", incarnation=1, attempt=1, epoch=1, identity=identity)
    ended = Ended(message="done", code=StatusCode.SUCCESS)
    run_dir.of_engine("a", "end").write_bytes(msgspec.json.encode(EndRecord(head=head, news=ended)))
    handle = await driver.adopt("a", 2)
    assert handle is not None
    assert await next_news(handle) == ended
    assert await next_news(handle) == Exited(exit_code=None, signal=None)
    await handle.kill()
    assert stranger.poll() is None
