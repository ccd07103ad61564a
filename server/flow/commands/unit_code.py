"""What can be seen of Python units without running their code: whether the class of an entry is there."""

import ast
from collections.abc import Iterator
from pathlib import Path

from server.flow.description import UnitDescription
from server.flow.plan import Plan
from server.flow.status import FlowError, StatusCode


def problems_of_code(plan: Plan) -> Iterator[FlowError]:
    """One for each unit of the plan that could not be loaded, worded as the failure at open would be."""
    seen = set()
    for node in plan.nodes:
        unit = node.unit
        if unit is None or not unit.directory or (unit.directory, unit.entry) in seen:
            continue
        seen.add((unit.directory, unit.entry))
        reason = _reason(unit)
        if reason:
            words = f"import {unit.entry} failed: {reason}"
            yield FlowError(StatusCode.INVALID, words, f"node '{node.name}', unit '{unit.name}'")


def _reason(unit: UnitDescription) -> str:
    module, _, wanted = unit.entry.partition("@")
    stem = Path(unit.directory, *module.split("."))
    sources = [path for path in (stem.with_suffix(".py"), stem / "__init__.py") if path.is_file()]
    if not sources:
        # a compiled module cannot be looked into
        is_compiled = any(stem.parent.glob(f"{stem.name}.*so")) or stem.with_suffix(".pyc").is_file()
        return "" if is_compiled else f"there is no file {stem.with_suffix('.py')}"
    path = sources[0]
    try:
        tree = ast.parse(path.read_bytes(), str(path))
    except SyntaxError as error:
        return f"{path}, line {error.lineno}: {error.msg}"
    except (OSError, ValueError) as error:
        return f"{path} cannot be read: {error}"
    names = set(_top_names(tree))
    return "" if wanted in names or "*" in names else f"{path} has no class '{wanted}'"


def _top_names(tree: ast.Module) -> Iterator[str]:
    """Names that the module's code may define, wherever it does so outside of functions and classes."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        for node in ast.iter_child_nodes(waiting.pop()):
            match node:
                case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                    yield name
                case ast.ImportFrom(names=aliases) | ast.Import(names=aliases):
                    yield from (alias.asname or alias.name for alias in aliases)
                case ast.Name(id=name, ctx=ast.Store()):
                    yield name
                case _:
                    waiting.append(node)
