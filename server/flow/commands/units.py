"""`flow units`: the catalogue, for people and, in the form of ModelBox's tool (spec 8.4), for programs."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path

from server.flow.catalogue import Catalogue
from server.flow.commands.collected import collected_warnings
from server.flow.commands.show import kind_of
from server.flow.description import UnitDescription
from server.flow.values import LIST_SEPARATOR


class Form(StrEnum):
    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


def units(folders: Sequence[Path], form: Form) -> int:
    """Prints all units, those of `folders` first, and the descriptions that are broken.

    Returns: 0; 1 when a description is broken; 2 when a folder is not there.
    """
    missing = [folder for folder in folders if not folder.exists()]
    for folder in missing:
        print(f"{folder}: there is no such folder", file=sys.stderr)
    if missing:
        return 2
    with collected_warnings() as messages:
        catalogue = Catalogue({"driver.dir": LIST_SEPARATOR.join(map(str, folders))})
    for message in messages:
        if not any(str(problem) in message for problem in catalogue.problems):
            print(f"warning: {message}", file=sys.stderr)
    match form:
        case Form.JSON:
            print(json.dumps(_plain(catalogue), indent=2, ensure_ascii=False))
        case Form.MARKDOWN:
            print("\n".join(markdown(catalogue.all())))
            _print_broken(catalogue)
        case Form.TEXT:
            _print(catalogue)
    return 1 if catalogue.problems else 0


def _print(catalogue: Catalogue) -> None:
    for unit in catalogue.all():
        print(f"{unit.name} {unit.version} ({unit.device}, {kind_of(unit)}{_notes(unit)})")
        print(f"  {unit.description}")
        if unit.directory:
            print(f"  from {unit.directory}, entry {unit.entry}")
        print(f"  in  {', '.join(unit.inputs) or '-'}")
        print(f"  out {', '.join(unit.outputs) or '-'}")
        for option in unit.options:
            default = f", default {option.default}" if option.default else ""
            print(f"  option {option.name} ({option.type}{default}): {option.description}")
        for key, value in unit.config.items():
            print(f"  option {key} (default {value.replace(LIST_SEPARATOR, ', ')})")
    _print_broken(catalogue)


def _print_broken(catalogue: Catalogue) -> None:
    for problem in catalogue.problems:
        print(f"broken: {problem}", file=sys.stderr)


def markdown(catalogue: Iterable[UnitDescription]) -> Iterator[str]:
    """A heading, ports and a table of options for each unit."""
    yield "# Flow units"
    yield ""
    for unit in sorted(catalogue, key=lambda each: (each.name, each.device)):
        yield f"## {unit.name}"
        yield f"{unit.description} Kind: {kind_of(unit)}{_notes(unit)}; device {unit.device}."
        yield f"In: {_spans(unit.inputs)}. Out: {_spans(unit.outputs)}."
        yield ""
        if not unit.options and not unit.config:
            continue
        yield "| option | type | default | what it does |"
        yield "|---|---|---|---|"
        for option in unit.options:
            cells = (
                f"`{option.name}`",
                option.type,
                _cell(option.default),
                option.description.replace("|", "\\|"),
            )
            yield f"| {' | '.join(cells)} |"
        for key, value in unit.config.items():
            yield f"| `{key}` | | {_cell(value.replace(LIST_SEPARATOR, ', '))} | |"
        yield ""


def _spans(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"


def _cell(value: str) -> str:
    return f"`{value}`" if value else ""


def _notes(unit: UnitDescription) -> str:
    return ", sees errors" if unit.exception_visible else ""


def _plain(catalogue: Catalogue) -> dict[str, object]:
    found = [_plain_unit(unit) for unit in catalogue.all()]
    kinds = sorted({unit.device for unit in catalogue.all()})
    devices = [{"name": kind, "type": kind, "version": "1.0.0", "description": f"{kind} device"} for kind in kinds]
    problems = [{"file": each.path, "key": each.key, "reason": each.reason} for each in catalogue.problems]
    return {"flowunits": found, "devices": devices, "problems": problems}


def _plain_unit(unit: UnitDescription) -> dict[str, object]:
    declared = [
        {
            "name": option.name,
            "type": option.type,
            "default": option.default,
            "desc": option.description,
            "required": False,
            "values": {},
        }
        for option in unit.options
    ]
    configured = [
        {"name": key, "type": "string", "default": value, "desc": "", "required": False, "values": {}}
        for key, value in unit.config.items()
    ]
    return {
        "name": unit.name,
        "type": unit.device,
        "version": unit.version,
        "description": unit.description,
        "group": unit.group or "Generic",
        "virtual": bool(unit.directory),
        "inputports": _ports(unit, unit.inputs),
        "outputports": _ports(unit, unit.outputs),
        "options": declared + configured,
        "kind": kind_of(unit),
    }


def _ports(unit: UnitDescription, names: tuple[str, ...]) -> list[dict[str, str]]:
    return [{"name": name, "device_type": unit.device, "port_type": ""} for name in names]
