"""Engines in cgroups of their own, where this machine lets us make some."""

import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from server.engines.cgroups import delegated_directory, settings_of
from server.engines.confinement import rations_of
from server.engines.driver import Exited, Ready
from server.engines.local import LocalDriver
from server.jobs.limits import Limits
from tests.engines.conftest import end, host_pid, kill_host, wait_until
from tests.engines.jobs import next_news, spec_of
from tests.engines.test_faults import is_running
from tests.processes import kill_all

RUNTIME = "tests.engines.tiny_flow:TinyRuntime"


def mount() -> Path | None:
    mounts = (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
    return next((Path(fields[1]) for fields in mounts if fields[2] == "cgroup2"), None)


@pytest.fixture
def delegated() -> Iterator[Path]:
    """A cgroup of ours."""
    root = mount()
    if root is None or not os.access(root, os.W_OK):
        pytest.skip("cgroup v2 is not there, or not writable")
    directory = root / f"modelbox-test-{os.getpid()}"
    try:
        directory.mkdir()
    except OSError as error:
        pytest.skip(f"no cgroup may be made: {error}")
    yield directory
    wait_until(lambda: _removed(directory), "the test's cgroups are removed")


def _removed(directory: Path) -> bool:
    try:
        for below in sorted(directory.rglob("*/"), reverse=True):
            below.rmdir()
        directory.rmdir()
    except OSError:
        return False
    return True


@pytest.fixture
async def driver(state_dir: Path, delegated: Path) -> AsyncIterator[LocalDriver]:
    driver = LocalDriver(state_dir, RUNTIME, str(delegated))
    yield driver
    await end(driver, state_dir)


def groups(delegated: Path) -> list[Path]:
    return [path for path in delegated.glob("modelbox-engines-*/*") if path.is_dir()]


def cgroup_of(pid: int) -> str:
    lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    return next(line.removeprefix("0::") for line in lines if line.startswith("0::"))


async def test_each_engine_has_a_cgroup_that_goes_with_it(driver: LocalDriver, delegated: Path) -> None:
    one, two = await driver.start(spec_of("a")), await driver.start(spec_of("b"))
    for handle in (one, two):
        assert isinstance(await next_news(handle), Ready)
    names = {cgroup_of(handle.identity.pid) for handle in (one, two)}
    assert len(names) == 2
    assert {name.rsplit("/", 1)[1] for name in names} == {path.name for path in groups(delegated)}
    await one.stop(1)
    wait_until(lambda: len(groups(delegated)) == 1, "the group is removed")


async def test_a_daemon_that_outlived_engine_and_host_is_found_by_its_cgroup(
    driver: LocalDriver, state_dir: Path, delegated: Path, tmp_path: Path
) -> None:
    handle = await driver.start(spec_of(pids=str(tmp_path / "pids")))
    assert isinstance(await next_news(handle), Ready)
    _, daemon, _ = map(int, (tmp_path / "pids").read_text().split())
    kill_host(state_dir)
    kill_all(state_dir)
    assert is_running(daemon)
    again = await driver.start(spec_of(attempt=2))
    assert isinstance(await next_news(again), Ready)
    wait_until(lambda: not is_running(daemon), "the daemon is gone")
    wait_until(lambda: len(groups(delegated)) == 1, "its group is removed")


async def test_an_engine_of_an_earlier_host_leaves_nothing(
    driver: LocalDriver, state_dir: Path, delegated: Path, tmp_path: Path
) -> None:
    handle = await driver.start(spec_of(pids=str(tmp_path / "pids")))
    assert isinstance(await next_news(handle), Ready)
    pids = [int(word) for word in (tmp_path / "pids").read_text().split()]
    kill_host(state_dir)
    await driver.prepare()
    os.kill(handle.identity.pid, signal.SIGKILL)
    assert isinstance(await next_news(handle), Exited)
    wait_until(lambda: not any(map(is_running, pids)), "all that it started is gone")
    wait_until(lambda: groups(delegated) == [], "its group is removed")


async def test_limits_hold_where_the_cgroup_has_no_controllers(driver: LocalDriver, delegated: Path) -> None:
    spec = replace(spec_of(eat_later=str(100 * 1024 * 1024)), limits=Limits(memory=32 * 1024 * 1024))
    handle = await driver.start(spec)
    assert isinstance(await next_news(handle), Ready)
    exited = await next_news(handle)
    assert isinstance(exited, Exited)
    # by the memory controller where there is one, by the host's look where not
    assert exited.out_of_memory
    assert exited.reason.startswith("Out of memory")


async def test_a_cgroup_that_cannot_be_had_is_done_without(state_dir: Path, tmp_path: Path) -> None:
    driver = LocalDriver(state_dir, RUNTIME, str(tmp_path / "none"))
    handle = await driver.start(spec_of())
    assert isinstance(await next_news(handle), Ready)
    assert f"no cgroups for engines under {tmp_path}/none" in (state_dir / "logs" / "host.log").read_text()
    assert cgroup_of(handle.identity.pid) == cgroup_of(host_pid(state_dir))
    await end(driver, state_dir)


def test_controllers_are_told_the_limits() -> None:
    limits = Limits(memory=64 << 20, cpu=0.5, threads=100, nice=3, open_files=100)
    assert settings_of(limits, {"memory", "cpu", "pids"}) == {
        "memory.max": "67108864",
        "memory.oom.group": "1",
        "memory.swap.max": "0",
        "cpu.max": "50000 100000",
        "pids.max": "100",
    }
    assert settings_of(Limits(), {"memory", "cpu", "pids"}) == {}
    assert settings_of(limits, {"pids"}) == {"pids.max": "100"}
    assert rations_of(limits, {"pids"}) == Limits(memory=64 << 20)
    assert rations_of(limits, {"memory", "pids"}) == Limits()


def test_without_a_word_from_systemd_no_cgroup_is_touched() -> None:
    assert delegated_directory("") is None
    assert delegated_directory("/somewhere") == Path("/somewhere")
    assert delegated_directory("auto") is None or "service" in str(delegated_directory("auto"))
