"""Engines' logs: bounded whatever is written by whom, and nothing of it lost with the process."""

import asyncio
import json
import os
import signal
import textwrap
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from server.engines.driver import EngineHandle, Exited, Ready
from server.engines.local import LocalDriver
from server.engines.logs.files import Attempt, LogLimits, files_in
from server.engines.protocol import EngineSpec
from server.engines.rundir import RunDir
from tests.engines.conftest import end, wait_until
from tests.engines.jobs import next_news

FILE_BYTES = 256 * 1024
LIMITS = LogLimits(file_bytes=FILE_BYTES, files=3)
BY_PRINTS = """
    for n in range(200_000):
        print(f"line {n:07d} " + "x" * 90)
    print("the end")
"""
BY_A_LIBRARY = """
    import os
    block = (b"y" * 99 + b"\\n") * 655
    for _ in range(2000):
        os.write(1, block)
    print("the end")
"""
BY_A_PROGRAM = """
    import subprocess, time
    print("x" * 300_000)  # a file is full, and the program inherits the next one
    time.sleep(0.1)
    subprocess.run("head -c 100000000 /dev/zero | tr '\\\\0' '\\\\n'", shell=True)
    print("the end")
"""
OF_ONE_LINE = """
    import sys
    for _ in range(2000):
        sys.stdout.write("z" * 50_000)
        sys.stdout.flush()
    print("the end")
"""
OF_BINARY_BYTES = """
    import os
    for _ in range(100):
        os.write(2, os.urandom(1_000_000))
    print("\\nthe end")
"""
FLOODS = {
    "prints": BY_PRINTS,
    "library": BY_A_LIBRARY,
    "program": BY_A_PROGRAM,
    "line": OF_ONE_LINE,
    "binary": OF_BINARY_BYTES,
}


@pytest.fixture
async def driver(state_dir: Path) -> AsyncIterator[LocalDriver]:
    driver = LocalDriver(state_dir, "tests.engines.noisy_flow:NoisyRuntime")
    yield driver
    await end(driver, state_dir)


def noisy(code: str, limits: LogLimits = LIMITS) -> EngineSpec:
    source = json.dumps({"name": "a", "code": textwrap.dedent(code)})
    return EngineSpec(
        job_id="a", incarnation=1, attempt=1, epoch=1, graph_format="json", source=source, log_limits=limits
    )


async def started(driver: LocalDriver, spec: EngineSpec) -> EngineHandle:
    handle = await driver.start(spec)
    assert isinstance(await next_news(handle), Ready)
    return handle


def text_of(state_dir: Path) -> str:
    text = b""
    for file in files_in(RunDir(state_dir).job_logs("a"), Attempt(1, 1)):
        with suppress(FileNotFoundError):
            text += file.path.read_bytes()
    return text.decode("utf-8", "replace")


def size_of(state_dir: Path) -> int:
    size = 0
    for path in RunDir(state_dir).job_logs("a").iterdir():
        with suppress(FileNotFoundError):
            size += path.stat().st_size
    return size


@pytest.mark.parametrize("flood", list(FLOODS))
async def test_a_flood_is_bounded_and_its_end_is_there(driver: LocalDriver, state_dir: Path, flood: str) -> None:
    handle = await started(driver, noisy(FLOODS[flood]))
    assert await handle.ping(5)
    async with asyncio.timeout(60):
        while "the end\n" not in text_of(state_dir):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    # what came between the last looks, and one file more than is kept
    wait_until(lambda: size_of(state_dir) <= FILE_BYTES * (LIMITS.files + 3), "the log has shrunk")
    wait_until(lambda: len(files_in(RunDir(state_dir).job_logs("a"))) <= LIMITS.files, "old files are removed")


async def test_what_was_printed_before_a_kill_is_there(driver: LocalDriver, state_dir: Path) -> None:
    code = """
        import os, sys
        print("printed")
        sys.stderr.write("and an error\\n")
        os.write(1, b"from a library\\n")
        os.kill(os.getpid(), 9)
    """
    handle = await driver.start(noisy(code))
    while not isinstance(news := await next_news(handle), Exited):
        pass
    assert news.signal == 9
    # the engine may say that it is ready in between
    written = text_of(state_dir).splitlines()
    assert [line for line in written if " INFO " not in line] == ["printed", "and an error", "from a library"]


async def test_lines_are_kept_whole_over_many_files(driver: LocalDriver, state_dir: Path) -> None:
    code = """
        import time
        for n in range(3000):
            print(f"{n:06d}")
            if n % 100 == 0:
                time.sleep(0.005)
        print("the end")
    """
    await started(driver, noisy(code, LogLimits(file_bytes=2000, files=1000)))
    wait_until(lambda: "the end" in text_of(state_dir), "all is written")
    numbers = [int(line) for line in text_of(state_dir).splitlines() if line.isdigit()]
    assert numbers == list(range(3000))
    assert len(files_in(RunDir(state_dir).job_logs("a"))) > 3


async def test_a_program_that_inherited_an_old_file_is_read_in_the_newest(
    driver: LocalDriver, state_dir: Path
) -> None:
    code = """
        import subprocess, time
        program = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
        print("x" * 300_000)
        time.sleep(0.3)
        print("x" * 300_000)
        time.sleep(0.3)
        program.communicate(b"from the program\\n")
    """
    await started(driver, noisy(code))
    folder = RunDir(state_dir).job_logs("a")
    wait_until(lambda: "from the program\n" in files_in(folder)[-1].path.read_text(), "it is moved there")
    assert files_in(folder)[-1].number > 2


async def test_descriptors_that_a_unit_led_elsewhere_stay_there(
    driver: LocalDriver, state_dir: Path, tmp_path: Path
) -> None:
    code = f"""
        import os, sys, time
        os.dup2(os.open("{tmp_path}/own", os.O_WRONLY | os.O_CREAT), 1)
        sys.stderr.write("x" * 300_000 + "\\n")
        time.sleep(0.3)
        print("elsewhere")
        sys.stderr.write("the end\\n")
    """
    await started(driver, noisy(code))
    wait_until(lambda: "the end" in text_of(state_dir), "the end")
    assert (tmp_path / "own").read_text() == "elsewhere\n"


async def test_an_engine_runs_without_a_log_that_cannot_be_made(driver: LocalDriver, state_dir: Path) -> None:
    run_dir = RunDir(state_dir)
    run_dir.create()
    run_dir.job_logs("a").write_text("in the way")
    handle = await started(driver, noisy("print('x')"))
    assert await handle.ping(5)


async def test_a_print_does_not_fail_because_the_disk_is_full(driver: LocalDriver, state_dir: Path) -> None:
    code = f"""
        import os
        os.dup2(os.open("/dev/full", os.O_WRONLY), 1)
        print("no room")
        open("{state_dir}/survived", "w").close()
    """
    await started(driver, noisy(code))
    wait_until((state_dir / "survived").exists, "the code went on")


async def test_the_host_cuts_what_an_engine_that_is_stopped_cannot(driver: LocalDriver, state_dir: Path) -> None:
    code = """
        import subprocess, sys
        flood = "import os, time\\nwhile True: os.write(1, b'x' * 20_000); time.sleep(0.005)"
        subprocess.Popen([sys.executable, "-S", "-c", flood])
    """
    handle = await started(driver, noisy(code, LogLimits(file_bytes=64 * 1024, files=3)))
    wait_until(lambda: size_of(state_dir) > 64 * 1024, "it floods")
    os.kill(handle.identity.pid, signal.SIGSTOP)
    try:
        wait_until(lambda: size_of(state_dir) > 1_000_000, "nobody looks after it")
        wait_until(lambda: size_of(state_dir) < 500_000, "the host does", 15)
    finally:
        os.kill(handle.identity.pid, signal.SIGCONT)
