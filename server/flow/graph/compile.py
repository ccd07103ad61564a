"""The steps from text to plan, in ModelBox's order (spec 1.5, 3.1). Each step runs only when the one before it
found nothing wrong; within a step, everything that is wrong is found."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from server.flow import values
from server.flow.catalogue import Catalogue
from server.flow.description import UnitDescription
from server.flow.graph.build import build
from server.flow.graph.checks import (
    back_edges,
    check_loop_members,
    check_loops,
    check_whole,
    topological_order,
)
from server.flow.graph.dot_graph import DotGraph, read_dot
from server.flow.graph.draft import Draft, listed, nearest
from server.flow.graph.findings import Enough, Findings
from server.flow.graph.matching import check_matching
from server.flow.plan import Plan
from server.flow.profile.settings import check_profile
from server.flow.settings import load_settings, shown
from server.flow.status import FlowError, StatusCode

LOAD_STEP = "load graph failed."
MAX_DOT_FILE = 16_000_000
"""Bytes of the file that graph.graphconffilepath names."""


@dataclass(frozen=True)
class Examination:
    """`plan` is None exactly when there are problems."""

    plan: Plan | None
    problems: tuple[FlowError, ...]


def compile_graph(
    source: str,
    format: str = "auto",
    *,
    units: Iterable[UnitDescription] = (),
    args: Mapping[str, str] | None = None,
) -> Plan:
    """The plan of a graph file's text. `format`: auto, json or toml.

    `units` are known to the graph before any that are found in folders. `args` fill `$name` in node
    attributes, with the defaults of `[args]`; None = leave `$name` alone (spec 1.5).

    Raises: FlowError, with the words of ModelBox and then the place and the remedy.
    """
    examined = examine_graph(source, format, units=units, args=args, limit=1)
    if examined.plan is None:
        raise examined.problems[0]
    return examined.plan


def examine_graph(
    source: str,
    format: str = "auto",
    *,
    units: Iterable[UnitDescription] = (),
    args: Mapping[str, str] | None = None,
    limit: int = 100,
) -> Examination:
    """As compile_graph, but without raising, and with up to `limit` problems of the first step that has any."""
    findings = Findings(limit)
    try:
        plan = _compile(load_settings(source, format), units, args, findings)
    except Enough:
        plan = None
    except FlowError as error:
        return Examination(None, (*findings.problems, error))
    return Examination(plan, findings.problems)


def read_graph(source: str, format: str = "auto") -> DotGraph:
    """The DOT of a graph file's text, whether or not its units are there. Raises: FlowError."""
    return read_dot(dot_text(source, format))


def dot_text(source: str, format: str = "auto") -> str:
    """The DOT text in a graph file's text, or in the file that it names. Raises: FlowError."""
    return _dot_text(load_settings(source, format))


def check_settings(settings: Mapping[str, str]) -> None:
    """What ModelBox refuses in `init`, before it builds anything (spec 1.5). Raises: FlowError."""
    _check_settings(settings)
    _dot_text(settings)


def check_arguments(settings: Mapping[str, str], args: Iterable[str]) -> None:
    """Every one of `args` is declared under `[args]` (spec 1.5). Raises: FlowError FAULT."""
    declared = _declared_arguments(settings)
    for name in args:
        if name not in declared:
            raise FlowError(
                StatusCode.FAULT,
                f"args '{shown(name)}' is not declared",
                f"[args] declares {listed(sorted(declared))}; {nearest(name, declared)}",
            )


def compile_settings(
    settings: dict[str, str],
    *,
    units: Iterable[UnitDescription] = (),
    args: Mapping[str, str] | None = None,
    dot: DotGraph | None = None,
) -> Plan:
    """As compile_graph, from settings that were read already. `dot` takes the place of the DOT text.

    Raises: FlowError.
    """
    findings = Findings(1)
    with suppress(Enough):
        plan = _compile(settings, units, args, findings, dot)
        if plan is not None:
            return plan
    raise findings.problems[0]


def _compile(
    settings: dict[str, str],
    units: Iterable[UnitDescription],
    args: Mapping[str, str] | None,
    findings: Findings,
    dot: DotGraph | None = None,
) -> Plan | None:
    _check_settings(settings)
    arguments = None if args is None else _arguments(settings, args)
    catalogue = Catalogue(settings, units)
    dot = dot if dot is not None else read_dot(_dot_text(settings))
    strict = values.get_bool(settings, "graph.strict", True)
    draft = build(dot, catalogue, strict, arguments, findings)
    if findings:
        return None
    return _check(draft, dot.name, settings, findings)


def _check(draft: Draft, name: str, settings: dict[str, str], findings: Findings) -> Plan | None:
    check_whole(draft, findings)
    if findings:
        return None
    check_loops(draft, findings)
    if findings:
        return None
    backward = back_edges(draft)
    order = topological_order(draft, backward)
    check_loop_members(draft, backward, findings)
    if findings:
        return None
    match = check_matching(draft, order, backward, findings)
    if findings:
        return None
    nodes = tuple(draft.nodes[each] for each in order)
    return Plan(name=name, nodes=nodes, edges=tuple(draft.edges), settings=settings, match=match)


def _check_settings(settings: Mapping[str, str]) -> None:
    if not values.get_bool(settings, "flow.enable", True):
        raise FlowError(StatusCode.PERMIT, "flow is disabled", "flow.enable is false in the graph file")
    check_profile(settings)
    chosen = settings.get("graph.format", "")
    if not chosen:
        raise FlowError(
            StatusCode.BADCONF, LOAD_STEP, "graph.format is empty", 'write format = "graphviz" under [graph]'
        )
    if chosen != "graphviz":
        raise FlowError(
            StatusCode.NOTSUPPORT,
            LOAD_STEP,
            "Graph format not supported, support type:graphviz",
            f"graph.format is '{shown(chosen)}'",
        )


def _dot_text(settings: Mapping[str, str]) -> str:
    """Every line of `graph.graphconf` gets a line end, a single one too (spec 1.4)."""
    lines = values.get_string_list(settings, "graph.graphconf")
    if lines:
        return "".join(f"{line}\n" for line in lines)
    path = settings.get("graph.graphconffilepath", "")
    if not path:
        raise FlowError(
            StatusCode.NOTFOUND,
            LOAD_STEP,
            "graph config path is null.",
            "the graph file has neither graph.graphconf nor graph.graphconffilepath",
        )
    return _read_dot_file(Path(path))


def _read_dot_file(path: Path) -> str:
    try:
        size = path.stat().st_size
        text = path.read_text(encoding="utf-8") if path.is_file() and size <= MAX_DOT_FILE else None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise _unreadable(path, reason) from None
    if text is None:
        raise _unreadable(path, f"it is no file of at most {MAX_DOT_FILE} bytes")
    if "\0" in text:
        raise _unreadable(path, "it holds a NUL character")
    return text


def _unreadable(path: Path, reason: str) -> FlowError:
    return FlowError(
        StatusCode.BADCONF,
        LOAD_STEP,
        f"read file {shown(str(path))} failed, {reason}",
        "graph.graphconffilepath is relative to the working directory of the server",
    )


def _arguments(settings: Mapping[str, str], args: Mapping[str, str]) -> dict[str, str]:
    check_arguments(settings, args)
    keys = {name: f"args.{name}.default" for name in _declared_arguments(settings)}
    return {**{name: settings[key] for name, key in keys.items() if key in settings}, **args}


def _declared_arguments(settings: Mapping[str, str]) -> set[str]:
    return {key.split(".", 2)[1] for key in settings if key.startswith("args.") and key.count(".") > 1}
