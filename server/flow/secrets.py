"""Secrets in graphs, by reference: `${env:NAME}` and `${file:/PATH}` in node attributes. See
docs/decisions/0023-secrets-in-graphs.md.

References are kept as they are in plans; only the `Configuration` that a unit's `open` gets has the values.
"""

import os
import re
import stat
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

import msgspec

from server.flow.mask import Mask
from server.flow.plan import Plan, PlanNode
from server.flow.settings import shown
from server.flow.status import FlowError, StatusCode

MOST_OF_A_FILE = 64 * 1024
"""Bytes."""
OURS = "MODELBOX_"
"""Variables of the server itself, one of which may hold the database's password."""
_REFERENCE = re.compile(r"(?P<literal>\$\$\{)|\$\{(?P<kind>env|file):(?P<name>[^{}]*)\}")
_NOT_RESOLVED = frozenset({"type", "flowunit", "device", "deviceid", "batch_size", "need_check_output", "label"})
"""Attributes that are read when the graph is compiled; and `queue_size...`."""


class AllowedSecrets(msgspec.Struct, frozen=True, kw_only=True):
    """What graphs may refer to: variables by patterns (`*`, `?`), files by the directories that they are under."""

    env: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    def allows_variable(self, name: str) -> bool:
        return not name.startswith(OURS) and any(fnmatchcase(name, pattern) for pattern in self.env)

    def allows_file(self, path: str) -> bool:
        """By where symbolic links lead to."""
        if not os.path.isabs(path) or "\0" in path:
            return False
        real = Path(os.path.realpath(path))
        return any(real.is_relative_to(os.path.realpath(Path(folder).expanduser())) for folder in self.files)


ALL_SECRETS = AllowedSecrets(env=("*",), files=("/",))
"""For flows that their own user starts."""


def resolved(node: PlanNode, options: Mapping[str, str], allowed: AllowedSecrets, mask: Mask) -> dict[str, str]:
    """`options` with values in place of references; these are masked from then on. Reads files.

    Raises: FlowError, which names node and reference, never a value.
    """
    return {
        key: _with_values(node, key, value, allowed, mask) if "${" in value else value
        for key, value in options.items()
    }


def _with_values(node: PlanNode, key: str, value: str, allowed: AllowedSecrets, mask: Mask) -> str:
    def value_of(found: re.Match[str]) -> str:
        problem = _problem(node, key, found, allowed)
        if problem is not None:
            raise problem
        return "${" if found["literal"] else _value(node.name, found, mask)

    return _REFERENCE.sub(value_of, value)


def problems_of_references(plan: Plan, allowed: AllowedSecrets) -> Iterator[FlowError]:
    """One for each reference that is not allowed, or stands where none can. Nothing of what exists is told."""
    for node in plan.nodes:
        for key, value in node.options.items():
            if "${" not in value:
                continue
            for found in _REFERENCE.finditer(value):
                problem = _problem(node, key, found, allowed)
                if problem is not None:
                    yield problem


def _problem(node: PlanNode, key: str, found: re.Match[str], allowed: AllowedSecrets) -> FlowError | None:
    if found["literal"]:
        return None
    if _is_compiled(key) or (key == "endpoint" and node.unit is not None and not node.unit.directory):
        words = f"node '{shown(node.name)}': {shown(found[0])} cannot stand in {key}"
        return FlowError(StatusCode.BADCONF, words, "a secret is resolved only in attributes that its unit keeps")
    name, is_variable = found["name"], found["kind"] == "env"
    if allowed.allows_variable(name) if is_variable else allowed.allows_file(name):
        return None
    words = f"node '{shown(node.name)}': {shown(found[0])} is not allowed"
    where = f"[secrets] {'env' if is_variable else 'files'} in the server's configuration says what is"
    return FlowError(StatusCode.PERMIT, words, where)


def _is_compiled(key: str) -> bool:
    return key in _NOT_RESOLVED or key.startswith("queue_size")


def _value(node: str, found: re.Match[str], mask: Mask) -> str:
    value = os.environ.get(found["name"]) if found["kind"] == "env" else _content(node, found)
    if value is None:
        words = f"node '{shown(node)}': {shown(found[0])} is not there"
        raise FlowError(StatusCode.NOTFOUND, words, "the engine host has no such variable in its environment")
    mask.add(value)
    return value


def _content(node: str, found: re.Match[str]) -> str:
    """Without the newline at its end, which editors put there."""

    def refused(code: StatusCode, reason: str) -> FlowError:
        return FlowError(code, f"node '{shown(node)}': {shown(found[0])} cannot be read", reason)

    try:
        # a pipe would have its reader wait
        descriptor = os.open(os.path.realpath(found["name"]), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise refused(StatusCode.INVALID, "it is no file")
            content = file.read(MOST_OF_A_FILE + 1)
    except OSError as error:
        raise refused(StatusCode.NOTFOUND, error.strerror or "no reason given") from None
    if len(content) > MOST_OF_A_FILE:
        raise refused(StatusCode.RANGE, f"it has more than {MOST_OF_A_FILE} bytes")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise refused(StatusCode.INVALID, "it is no text in UTF-8")
    return text.removesuffix("\n").removesuffix("\r")
