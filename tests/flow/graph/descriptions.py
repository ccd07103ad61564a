"""Unit descriptions in folders, for the tests of this folder."""

from pathlib import Path

from server.flow.catalogue import Catalogue
from server.flow.description import UnitDescription

BASE = {
    "name": '"u"',
    "device": '"cpu"',
    "version": '"1.0.0"',
    "description": '"does"',
    "type": '"python"',
    "entry": '"u@U"',
}
PORTS = '[input.input1]\nname = "in_1"\n[output.output1]\nname = "out_1"\n'


def describe(rest: str = PORTS, /, **keys: str | None) -> str:
    """A description; a key of None is left out."""
    base = {**BASE, **keys}
    return "[base]\n" + "".join(f"{key} = {value}\n" for key, value in base.items() if value is not None) + rest


def port(direction: str, number: int, name: str = "") -> str:
    return f'[{direction}.{direction}{number}]\nname = "{name or f"p{number}"}"\ntype = "float"\ndevice = "cuda"\n'


def write(folder: Path, text: str, name: str = "u.toml") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    return folder / name


def scan(*folders: Path) -> Catalogue:
    return Catalogue({"driver.dir": "\x03".join(str(folder) for folder in folders)})


def read(folder: Path, text: str) -> UnitDescription:
    write(folder, text)
    catalogue = scan(folder)
    assert catalogue.problems == ()
    found = catalogue.find("u", "cpu")
    assert found is not None
    return found
