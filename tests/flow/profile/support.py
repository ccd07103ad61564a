"""What profiles of the tests' flows hold, and a profile without a flow."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from server.flow.plan import Plan, PlanNode
from server.flow.profile.profiler import ProfilePace, Profiler
from server.flow.profile.settings import ProfileSettings
from server.flow.run.node import Node
from server.flow.run.scheduler import Scheduler
from server.flow.status import StatusCode
from tests.flow.run.programs import passes, unit

QUICK = ProfilePace(sample_seconds=0.01, write_seconds=0.1, retry_seconds=0.05)


def settings(folder: Path, **keys: object) -> dict[str, str]:
    """Of a graph file: `profile.dir` is `folder`; True as `key="true"`."""
    wanted = {"dir": str(folder), **{key: str(value).lower() for key, value in keys.items()}}
    return {f"profile.{key}": value for key, value in wanted.items()}


def files(folder: Path, kind: str) -> list[Path]:
    return sorted(folder.glob(f"{kind}_*"))


def events(folder: Path) -> list[dict[str, Any]]:
    """All events of all traces."""
    return [event for path in files(folder, "trace") for event in json.loads(path.read_text())]


def reports(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in files(folder, "performance")]


def hidden(folder: Path) -> list[Path]:
    return list(folder.glob(".*"))


class Ender:
    def end(self, code: StatusCode, message: str) -> None:
        raise AssertionError(message)


class Profiled:
    """One node under a profile; `close` is a call of its unit."""

    def __init__(self, folder: Path, pace: ProfilePace, *, performance: bool = False, trace: bool = True) -> None:
        described, made = unit("u", passes)
        plan = PlanNode(name="u", unit=described)
        self.node = Node(plan, made(), Scheduler("test", 1), Ender(), 1)
        wanted = ProfileSettings(performance, trace, False, folder)
        self.profiler = Profiler(wanted, Plan(name="g", nodes=(plan,), edges=()), {"u": self.node}, pace)

    def call(self, count: int = 1) -> None:
        for _ in range(count):
            self.node.unit.close()

    def call_until(self, true: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + 10
        while not true():
            assert time.monotonic() < deadline, f"not within 10 s: {what}"
            self.call()
            time.sleep(0.005)

    def stop(self) -> None:
        asyncio.run(self.profiler.stop())


@contextmanager
def profiled(folder: Path, pace: ProfilePace = QUICK, **kinds: bool) -> Iterator[Profiled]:
    under_way = Profiled(folder, pace, **kinds)
    try:
        yield under_way
    finally:
        under_way.stop()
