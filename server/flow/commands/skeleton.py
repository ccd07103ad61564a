"""`flow new-unit` and `flow new-project`: working skeletons with tests, which overwrite nothing."""

import keyword
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from server.flow.commands import skeleton_texts as texts
from server.flow.graph.draft import nearest
from server.flow.units import BUILTIN

KINDS = ("normal", "stream", "condition", "expand", "collapse")

_UNIT_NAME = re.compile(r"[a-z_][a-z0-9_]{0,63}")
_PORT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_PROJECT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_PROJECT_UNIT = "respond"


class Refused(Exception):
    """What was asked for cannot be made; the text says why, and nothing was written."""


def new_unit(name: str, kind: str, inputs: Sequence[str], outputs: Sequence[str], folder: Path) -> int:
    """Makes `folder`/`name` with a description, a class and a test. Returns: 0, or 2 when it is refused."""
    return _make(folder / name, lambda: unit_files(name, kind, inputs, outputs), f"pytest {folder / name}")


def new_project(name: str, folder: Path) -> int:
    """Makes `folder`/`name` with a graph, a unit and their tests. Returns: 0, or 2 when it is refused."""
    return _make(folder / name, lambda: project_files(name), f"cd {folder / name} && pytest")


def unit_files(name: str, kind: str, inputs: Sequence[str], outputs: Sequence[str]) -> dict[str, str]:
    """Texts by path in the unit's folder. Without ports given, it has the usual ones.

    Raises: Refused.
    """
    _check_unit_name(name)
    if kind not in KINDS:
        raise Refused(f"there is no kind '{kind}'; {nearest(kind, KINDS)}")
    inputs = inputs or ("in_1",)
    outputs = outputs or (("out_yes", "out_no") if kind == "condition" else ("out_1",))
    _check_ports("input", inputs)
    _check_ports("output", outputs)
    if kind == "condition" and len(outputs) < 2:
        raise Refused("a condition unit chooses between outputs: give --output at least twice")
    return {
        f"{name}.toml": texts.description(name, kind, inputs, outputs),
        f"{name}.py": texts.unit_class(name, kind, inputs, outputs),
        f"test_{name}.py": texts.unit_test(name, kind, inputs, outputs),
    }


def project_files(name: str) -> dict[str, str]:
    """Texts by path in the project's folder.

    Raises: Refused.
    """
    if _PROJECT_NAME.fullmatch(name) is None:
        raise Refused(f"'{name}' is no name of a project: letters, digits, - and _, at most 64, no - or _ first")
    unit = unit_files(_PROJECT_UNIT, "normal", ("in_1",), ("out_1",))
    return {
        "README.md": texts.project_readme(name),
        f"graph/{name}.toml": texts.project_graph(name, _PROJECT_UNIT),
        "test_project.py": texts.project_test(name),
        **{f"flowunit/{_PROJECT_UNIT}/{path}": text for path, text in unit.items()},
    }


def _make(folder: Path, files: Callable[[], dict[str, str]], next_step: str) -> int:
    try:
        written = _write(folder, files())
    except Refused as refused:
        print(refused, file=sys.stderr)
        return 2
    except OSError as error:
        print(f"{error.filename or folder}: {error.strerror}", file=sys.stderr)
        return 2
    for path in written:
        print(path)
    print(f"try it: {next_step}")
    return 0


def _write(folder: Path, files: Mapping[str, str]) -> Iterable[Path]:
    paths = {folder / name: text for name, text in files.items()}
    for path in paths:
        if path.exists() or path.is_symlink():
            raise Refused(f"{path} is there already; nothing was written")
    for path, text in paths.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    return tuple(paths)


def _check_unit_name(name: str) -> None:
    """The name is also that of a Python module, which must hide no other."""
    if _UNIT_NAME.fullmatch(name) is None:
        raise Refused(f"'{name}' is no name of a unit: small letters, digits and _, at most 64, no digit first")
    if keyword.iskeyword(name):
        raise Refused(f"'{name}' is a word of Python's own: its module could not be imported")
    if name in sys.stdlib_module_names or name in ("modelbox", "_flowunit", "numpy"):
        raise Refused(f"'{name}' is a module of Python or of the engine, which the unit's would hide")
    if any(name == unit.name for unit in BUILTIN):
        raise Refused(f"'{name}' is a unit of the engine: graphs would not know which one is meant")


def _check_ports(direction: str, names: Sequence[str]) -> None:
    for name in names:
        if _PORT_NAME.fullmatch(name) is None:
            raise Refused(f"'{name}' is no name of an {direction}: letters, digits and _, no digit first")
    if len(set(names)) < len(names):
        raise Refused(f"an {direction} is named twice: {', '.join(names)}")
