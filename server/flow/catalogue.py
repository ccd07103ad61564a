"""Which flow units there are: built-in ones, ones registered by a program, and Python ones found in folders.

A Python unit is a TOML description beside its source (spec 6.1, 6.2). A broken description hides nothing but
itself: it is a `Problem` of the catalogue, and the flow fails only if it uses that unit.
"""

import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from server.flow import values
from server.flow.description import UnitDescription
from server.flow.settings import shown
from server.flow.status import FlowError, StatusCode
from server.flow.unit_file import Broken, Foreign, Problem, read_description
from server.flow.units import BUILTIN

_LIBRARY = "libmodelbox-*.so*"

log = logging.getLogger("server.flow")


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
        self._foreign: list[Foreign] = []
        self._libraries: list[str] = []
        self._missing: list[str] = []
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

    @property
    def foreign(self) -> tuple[Foreign, ...]:
        """Descriptions of units for engines that are not here."""
        return tuple(self._foreign)

    @property
    def libraries(self) -> tuple[str, ...]:
        """Files of compiled units in `driver.dir`, which this engine cannot load."""
        return tuple(self._libraries)

    @property
    def missing(self) -> tuple[str, ...]:
        """What is wrong with entries of `driver.dir` that do not exist."""
        return tuple(self._missing)

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
            where = "" if Path(folder).is_absolute() else f" below {Path.cwd()}, where this runs"
            self._missing.append(f"driver.dir: there is no '{shown(folder)}'{where}")
            log.warning("%s", self._missing[-1])
        for path in _description_files(Path(folder)):
            try:
                unit = read_description(path)
            except Broken as broken:
                log.info("a unit's description is broken: %s", broken.problem)
                self._problems.append(broken.problem)
                continue
            if isinstance(unit, Foreign):
                self._foreign.append(unit)
            elif unit is not None:
                found_any = True
                self._note_if_hidden(unit, path)
                self._add([unit])
        libraries = _library_files(Path(folder))
        self._libraries.extend(libraries)
        return found_any or bool(libraries)


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


def _library_files(folder: Path) -> list[str]:
    """`libmodelbox-*.so*` directly in the folder; a file stands for itself. Links are passed over (spec 6.1)."""
    entries = [folder] if _is_file(folder) else _entries(folder)
    return [
        str(entry) for entry in entries if entry.match(_LIBRARY) and not entry.is_symlink() and _is_file(entry)
    ]
