"""Whether the program itself is whole: Python, and the packages it needs."""

import re
import sys
from collections.abc import Iterator
from importlib import metadata

from server.doctor.finding import Finding, ok, problem, warning

DISTRIBUTION = "modelbox-server"
OLDEST_PYTHON = (3, 11)
_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(?:\[[^]]*\])?\s*(?:>=\s*(?P<least>[0-9.]+))?")


def examine(running: tuple[int, ...] = sys.version_info[:3]) -> Iterator[Finding]:
    yield _python(running)
    yield _platform(sys.platform)
    try:
        yield _packages(metadata.requires(DISTRIBUTION) or [])
    except metadata.PackageNotFoundError:
        yield problem(
            "packages", f"{DISTRIBUTION} is not installed in {sys.prefix}", "install it with pip into this Python"
        )


def _python(running: tuple[int, ...]) -> Finding:
    version = ".".join(map(str, running))
    if running < OLDEST_PYTHON:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        return problem("python", f"{version} at {sys.executable}", f"use Python {oldest} or newer")
    return ok("python", f"{version} at {sys.executable}")


def _platform(name: str) -> Finding:
    if name != "linux":
        return problem("platform", name, "engines need Linux: pidfds, /proc and Unix sockets there")
    return ok("platform", name)


def _packages(requirements: list[str]) -> Finding:
    """Of those that are not optional, by the least versions that the package names."""
    missing, old, count = [], [], 0
    for requirement in requirements:
        if "extra ==" in requirement or (match := _REQUIREMENT.match(requirement)) is None:
            continue
        count += 1
        name, least = match["name"], match["least"]
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            missing.append(name)
            continue
        if least and _numbers(found) < _numbers(least):
            old.append(f"{name} {found} (needed: {least})")
    if missing or old:
        said = "; ".join(filter(None, [_listed("missing", missing), _listed("too old", old)]))
        return problem("packages", said, f"pip install --upgrade {DISTRIBUTION} in {sys.prefix}")
    if sys.prefix == sys.base_prefix:
        return warning(
            "packages",
            f"{count} are there, in the system's own Python",
            "a venv keeps them from changing under it",
        )
    return ok("packages", f"{count} are there and new enough, in {sys.prefix}")


def _listed(what: str, names: list[str]) -> str:
    return f"{what}: {', '.join(names)}" if names else ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version.partition("+")[0])[:4])
