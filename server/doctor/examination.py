"""The doctor's round: every part of an installation, the simple ones first."""

import asyncio
from collections.abc import Callable, Iterable

import msgspec

from server.config import Config
from server.doctor import access, database, flows, machine, processes, program
from server.doctor.finding import Finding, Grade, problem


class Report(msgspec.Struct, frozen=True, kw_only=True):
    healthy: bool
    findings: list[Finding]


def examine(config: Config) -> Report:
    """Blocking. Changes nothing. A part that cannot be examined is a problem of its own."""
    findings: list[Finding] = []
    rounds: list[tuple[str, Callable[[], Iterable[Finding]]]] = [
        ("program", program.examine),
        ("machine", lambda: machine.examine(config.state_dir, config.engine.cgroup)),
        ("database", lambda: database.examine(config)),
        ("processes", lambda: processes.examine(config)),
        ("access", lambda: access.examine(config)),
        ("boot folder", lambda: asyncio.run(flows.examine(config))),
    ]
    for about, look in rounds:
        try:
            findings.extend(look())
        except Exception as error:
            said = f"cannot be examined: {type(error).__name__}: {error}"
            findings.append(problem(about, said, "this may be an error of the doctor's own"))
    return Report(healthy=all(one.grade is not Grade.PROBLEM for one in findings), findings=findings)
