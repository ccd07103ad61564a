"""A unit's description file, read key by key (spec 6.2)."""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from server.flow import values
from server.flow.description import ConditionType, FlowType, OutputType, UnitDescription
from server.flow.settings import load_toml, shown
from server.flow.status import FlowError

MAX_DESCRIPTION = 1_000_000
"""Bytes of a description file. Larger ones are problems."""

_OTHER_TYPES = frozenset({"c++", "inference", "java", "yolo_postprocess"})
_VERSION = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+")
_GROUP = re.compile(r"[A-Z]\w*(?:/\w*)?", re.ASCII)

log = logging.getLogger("server.flow")


@dataclass(frozen=True)
class Problem:
    """Why a description is not in the catalogue. `key` is "" when the file as a whole is at fault; `unit` is the
    name it would have had, as far as it is known; `entry` is an entry that names no class of a file."""

    path: str
    key: str
    reason: str
    unit: str = ""
    entry: str = ""

    def __str__(self) -> str:
        where = f"{self.path}, key '{self.key}'" if self.key else self.path
        return f"{where}: {self.reason}"


@dataclass(frozen=True)
class Foreign:
    """The description of a unit for an engine that is not here. `engine`: `virtual_type:device`, as ModelBox names
    engines of inference (spec 6.4)."""

    path: str
    unit: str
    type: str
    engine: str


class Broken(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def read_description(path: Path) -> UnitDescription | Foreign | None:
    """The unit that the file at `path` describes; None, when it describes no unit.

    Raises: Broken.
    """
    try:
        if path.stat().st_size > MAX_DESCRIPTION:
            raise Broken(Problem(str(path), "", f"the file is larger than {MAX_DESCRIPTION} bytes"))
        flat = load_toml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise Broken(Problem(str(path), "", f"cannot be read: {error}")) from None
    except FlowError as error:
        raise Broken(Problem(str(path), "", error.messages[-1], path.stem)) from None
    return _Description(path, flat).unit()


class _Description:
    """One description file, read key by key."""

    def __init__(self, path: Path, flat: Mapping[str, str]) -> None:
        self._path = path
        self._flat = flat

    def unit(self) -> UnitDescription | Foreign | None:
        kind = self._flat.get("base.type", "")
        if kind in _OTHER_TYPES:
            virtual_type, device = (self._flat.get(f"base.{key}", "") for key in ("virtual_type", "device"))
            return Foreign(str(self._path), self._name(), kind, f"{virtual_type}:{device}")
        if kind != "python":
            self._check_type(kind)
            return None
        entry = self._required("base.entry")
        file, _, class_name = entry.partition("@")
        if not file or not class_name or "@" in class_name:
            reason = f"invalid entry string: {shown(entry)} (it is 'file@Class')"
            raise Broken(Problem(str(self._path), "base.entry", reason, self._name(), entry))
        output_type, condition = self._structure()
        flow_type = self._flow_type(condition)
        stream = flow_type is FlowType.STREAM
        return UnitDescription(
            name=self._required("base.name"),
            device=self._required("base.device"),
            version=self._version(),
            description=self._required("base.description"),
            group=self._group(),
            entry=entry,
            directory=str(self._path.parent.absolute()),
            inputs=self._ports("input"),
            outputs=self._ports("output"),
            flow_type=flow_type,
            output_type=output_type,
            condition=condition,
            collapse_all=self._bool("collapse_all", True),
            exception_visible=self._bool("exception_visible", False),
            default_batch_size=self._batch_size("default_batch_size", 1 if stream else 8, least=1),
            max_batch_size=self._batch_size("max_batch_size", 1 if stream else 0, least=0),
            config=self._config(),
        )

    def _check_type(self, kind: str) -> None:
        """A TOML without any [base] is something else, such as a graph."""
        if not any(key.startswith("base.") for key in self._flat):
            return
        if not kind:
            raise self._broken("base.type", "the config does not have 'type'")
        raise self._broken("base.type", f"unknown type '{shown(kind)}': expected 'python'")

    def _structure(self) -> tuple[OutputType, ConditionType]:
        """Expand wins over collapse, and both over condition (spec 4.4, 6.2)."""
        if self._bool("expand", False):
            return OutputType.EXPAND, ConditionType.NONE
        if self._bool("collapse", False):
            return OutputType.COLLAPSE, ConditionType.NONE
        if self._bool("condition", False):
            return OutputType.ORIGIN, ConditionType.IF_ELSE
        return OutputType.ORIGIN, ConditionType.NONE

    def _flow_type(self, condition: ConditionType) -> FlowType:
        if condition is not ConditionType.NONE or not self._bool("stream", True):
            return FlowType.NORMAL
        return FlowType.STREAM

    def _ports(self, direction: str) -> tuple[str, ...]:
        """The names in `[input.input1]`, `[input.input2]` and so on, which must be without gaps."""
        tables = self._tables(direction)
        ports: dict[str, None] = {}
        for number in range(1, len(tables) + 1):
            table = f"{direction}.{direction}{number}"
            if f"{direction}{number}" not in tables:
                raise self._broken(table, f"the key {table} is not found in config file.")
            name = self._required(f"{table}.name")
            if name in ports:
                raise self._broken(f"{table}.name", f"the port '{shown(name)}' is there twice")
            ports[name] = None
        if not ports and direction == "output" and not self._tables("input"):
            raise self._broken("input", "the unit has no port: it needs [input.input1] or [output.output1]")
        return tuple(ports)

    def _tables(self, name: str) -> set[str]:
        """The names of the tables, and keys, in a table."""
        prefix = f"{name}."
        return {key[len(prefix) :].partition(".")[0] for key in self._flat if key.startswith(prefix)}

    def _version(self) -> str:
        version = self._required("base.version")
        if _VERSION.fullmatch(version) is None:
            raise self._broken("base.version", f"'{shown(version)}' is not of the form 1.2.3")
        return version

    def _group(self) -> str:
        group = self._flat.get("base.group_type", "")
        if not group or _GROUP.fullmatch(group):
            return group
        self._warn("group_type", group, "is not of the form Group or Group/Subgroup, and is ignored")
        return ""

    def _config(self) -> dict[str, str]:
        prefix = "config."
        return {key[len(prefix) :]: value for key, value in self._flat.items() if key.startswith(prefix)}

    def _bool(self, key: str, default: bool) -> bool:
        text = self._flat.get(f"base.{key}")
        if text is not None and values.parse_bool(text) is None:
            self._warn(key, text, f"is neither true nor false, and counts as {str(default).lower()}")
        return values.get_bool(self._flat, f"base.{key}", default)

    def _batch_size(self, key: str, default: int, least: int) -> int:
        text = self._flat.get(f"base.{key}")
        if text is not None and values.parse_int(text, values.INT32) is None:
            self._warn(key, text, f"is no number, and counts as {default}")
        return max(values.get_int(self._flat, f"base.{key}", default, values.INT32), least)

    def _warn(self, key: str, value: str, words: str) -> None:
        log.warning("%s, key 'base.%s': '%s' %s", self._path, key, shown(value), words)

    def _required(self, key: str) -> str:
        value = self._flat.get(key, "")
        if not value:
            raise self._broken(key, "is missing or empty")
        return value

    def _broken(self, key: str, reason: str) -> Broken:
        return Broken(Problem(str(self._path), key, reason, self._name()))

    def _name(self) -> str:
        return self._flat.get("base.name", "") or self._path.stem
