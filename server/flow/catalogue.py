"""Which flow units there are: built-in ones, ones registered by a program, and Python ones found in folders.

A Python unit is a TOML description beside its source (spec 6.1, 6.2). A broken description hides nothing but
itself: it is a `Problem` of the catalogue, and the flow fails only if it uses that unit.
"""

import logging
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from server.flow import values
from server.flow.description import ConditionType, FlowType, OutputType, UnitDescription
from server.flow.settings import load_toml, shown
from server.flow.status import FlowError, StatusCode
from server.flow.units import BUILTIN

MAX_DESCRIPTION = 1_000_000
"""Bytes of a description file. Larger ones are problems."""

_OTHER_TYPES = frozenset({"c++", "inference", "java", "yolo_postprocess"})
_VERSION = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+")
_GROUP = re.compile(r"[A-Z]\w*(?:/\w*)?", re.ASCII)
_LIBRARY = "libmodelbox-*.so*"

log = logging.getLogger("server.flow")


@dataclass(frozen=True)
class Problem:
    """Why a description is not in the catalogue. `key` is "" when the file as a whole is at fault; `unit` is the
    name it would have had, as far as it is known."""

    path: str
    key: str
    reason: str
    unit: str = ""

    def __str__(self) -> str:
        where = f"{self.path}, key '{self.key}'" if self.key else self.path
        return f"{where}: {self.reason}"


class Catalogue:
    """The units that a graph may use, by name and device. The first one registered wins (spec 6.3): those in
    `registered`, then those of `driver.dir` in its order (files by name), then the built-in ones."""

    def __init__(self, settings: Mapping[str, str], registered: Iterable[UnitDescription] = ()) -> None:
        """Raises: FlowError, when `driver.skip-default` leaves nothing to load.

        The built-in units stand for ModelBox's own libraries. `driver.skip-default` says that all libraries are in
        `driver.dir`, so they stay available if there is anything in it.
        """
        self._units: dict[tuple[str, str], UnitDescription] = {}
        self._problems: list[Problem] = []
        self._add(registered)
        folders = [folder for folder in values.get_string_list(settings, "driver.dir") if folder]
        found_any = bool(self._units)
        for folder in folders:
            found_any |= self._scan(folder)
        if not found_any and values.get_bool(settings, "driver.skip-default"):
            raise FlowError(StatusCode.NOTFOUND, "no flow unit to load", _nothing_in(folders))
        self._add(BUILTIN)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Descriptions that were found and cannot be used."""
        return tuple(self._problems)

    def find(self, name: str, device: str) -> UnitDescription | None:
        return self._units.get((device, name))

    def all(self) -> tuple[UnitDescription, ...]:
        """Every unit, in order of registration."""
        return tuple(self._units.values())

    def _add(self, units: Iterable[UnitDescription]) -> None:
        for unit in units:
            self._units.setdefault((unit.device, unit.name), unit)

    def _note_if_hidden(self, unit: UnitDescription, path: Path) -> None:
        first = self.find(unit.name, unit.device)
        if first is not None:
            where = (
                f"of {first.directory} ({first.entry}, version {first.version})"
                if first.directory
                else "registered"
            )
            log.info("the unit '%s' of %s is hidden by the one %s", shown(unit.name), path, where)

    def _scan(self, folder: str) -> bool:
        """Reads the descriptions of one entry of `driver.dir`; whether it holds anything to load."""
        found_any = False
        if not os.path.exists(folder):  # never raises, however long the name
            log.warning("driver.dir: there is no '%s'", shown(folder))
        for path in _description_files(Path(folder)):
            try:
                unit = read_description(path)
            except _Broken as broken:
                log.info("a unit's description is broken: %s", broken.problem)
                self._problems.append(broken.problem)
                continue
            if unit is not None:
                found_any = True
                self._note_if_hidden(unit, path)
                self._add([unit])
        return found_any or _has_library(Path(folder))


class _Broken(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def _nothing_in(folders: list[str]) -> str:
    where = ", ".join(f"'{shown(folder)}'" for folder in folders)
    return (
        "driver.skip-default is true, and "
        + (f"driver.dir ({where}) holds no unit" if where else "driver.dir names no folder")
        + ": set driver.dir to the folder of your units, or leave driver.skip-default out"
    )


def _description_files(folder: Path) -> Iterator[Path]:
    """`*.toml` in the folder and in its immediate sub-folders; a file stands for itself. A folder that
    is missing or that cannot be read is empty."""
    entries = [folder] if _is_file(folder) else _entries(folder)
    yield from (entry for entry in entries if entry.suffix == ".toml" and _is_file(entry))
    for entry in entries:
        yield from (file for file in _entries(entry) if file.suffix == ".toml" and _is_file(file))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _has_library(folder: Path) -> bool:
    try:
        return folder.match(_LIBRARY) if folder.is_file() else any(folder.glob(_LIBRARY))
    except OSError:
        return False


def read_description(path: Path) -> UnitDescription | None:
    """The unit that the file at `path` describes; None, when it describes no Python unit."""
    try:
        if path.stat().st_size > MAX_DESCRIPTION:
            raise _Broken(Problem(str(path), "", f"the file is larger than {MAX_DESCRIPTION} bytes"))
        flat = load_toml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise _Broken(Problem(str(path), "", f"cannot be read: {error}")) from None
    except FlowError as error:
        raise _Broken(Problem(str(path), "", error.messages[-1], path.stem)) from None
    return _Description(path, flat).unit()


class _Description:
    """One description file, read key by key."""

    def __init__(self, path: Path, flat: Mapping[str, str]) -> None:
        self._path = path
        self._flat = flat

    def unit(self) -> UnitDescription | None:
        kind = self._flat.get("base.type", "")
        if kind != "python":
            self._check_type(kind)
            return None
        entry = self._required("base.entry")
        if entry.count("@") != 1:
            raise self._broken("base.entry", f"invalid entry string: {shown(entry)} (it is 'file@Class')")
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
        """Foreign types belong to other engines; a TOML without any [base] is something else, such as a graph."""
        if kind in _OTHER_TYPES or not any(key.startswith("base.") for key in self._flat):
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
        prefix = f"{direction}."
        count = len({key[len(prefix) :].partition(".")[0] for key in self._flat if key.startswith(prefix)})
        ports: list[str] = []
        for number in range(1, count + 1):
            table = f"{prefix}{direction}{number}"
            if not any(key.startswith(f"{table}.") for key in self._flat):
                raise self._broken(table, f"the key {table} is not found in config file.")
            name = self._required(f"{table}.name")
            if name in ports:
                raise self._broken(f"{table}.name", f"the port '{shown(name)}' is there twice")
            ports.append(name)
        if not ports and direction == "output" and not self._has_table("input"):
            raise self._broken("input", "the unit has no port: it needs [input.input1] or [output.output1]")
        return tuple(ports)

    def _has_table(self, name: str) -> bool:
        return any(key.startswith(f"{name}.") for key in self._flat)

    def _version(self) -> str:
        version = self._required("base.version")
        if _VERSION.fullmatch(version) is None:
            raise self._broken("base.version", f"'{shown(version)}' is not of the form 1.2.3")
        return version

    def _group(self) -> str:
        group = self._flat.get("base.group_type", "")
        if not group or _GROUP.fullmatch(group):
            return group
        words = "'%s' is not of the form Group or Group/Subgroup, and is ignored"
        log.warning(f"%s, key 'base.group_type': {words}", self._path, shown(group))
        return ""

    def _config(self) -> dict[str, str]:
        prefix = "config."
        return {key[len(prefix) :]: value for key, value in self._flat.items() if key.startswith(prefix)}

    def _bool(self, key: str, default: bool) -> bool:
        return values.get_bool(self._flat, f"base.{key}", default)

    def _batch_size(self, key: str, default: int, least: int) -> int:
        return max(values.get_int(self._flat, f"base.{key}", default, values.INT32), least)

    def _required(self, key: str) -> str:
        value = self._flat.get(key, "")
        if not value:
            raise self._broken(key, "is missing or empty")
        return value

    def _broken(self, key: str, reason: str) -> _Broken:
        unit = self._flat.get("base.name", "") or self._path.stem
        return _Broken(Problem(str(self._path), key, reason, unit))
