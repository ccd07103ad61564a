"""`flow check`: everything that is wrong with graphs, at once."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from server.flow.commands.collected import collected_warnings
from server.flow.commands.graph_file import GraphFile, Place, line_map, located, read_graph_file
from server.flow.commands.remarks import remarks
from server.flow.commands.unit_code import problems_of_code
from server.flow.graph.compile import examine_graph
from server.flow.status import FlowError, StatusCode

OK, WRONG, UNREADABLE = 0, 1, 2


@dataclass(frozen=True)
class Problem:
    place: Place
    code: StatusCode
    text: str


@dataclass(frozen=True)
class Report:
    """What is known of one file. `warnings` are what the engine says of it, such as unit descriptions that cannot
    be used, and attributes that nothing can or does read. A graph may be right nevertheless."""

    path: str
    exit_code: int
    problems: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()
    nodes: int = 0
    edges: int = 0


def check(paths: Sequence[Path], args: Mapping[str, str], *, as_json: bool) -> int:
    """Prints what is wrong with each graph. `args` are values for what each declares under `[args]`.

    Returns: 0 when all are right, 1 when a graph has problems, 2 when a file cannot be read.
    """
    reports = [examine_file(path, args) for path in paths]
    if as_json:
        print(json.dumps([_plain(report) for report in reports], indent=2, ensure_ascii=False))
    else:
        for report in reports:
            _print(report)
    return max(report.exit_code for report in reports)


def examine_file(path: Path, args: Mapping[str, str]) -> Report:
    try:
        file = read_graph_file(path)
    except FlowError as error:
        return Report(str(path), UNREADABLE, (Problem(Place(str(path)), error.code, str(error)),))
    with collected_warnings() as messages:
        examined = examine_graph(file.text, file.format, args=args)
    warnings = tuple(messages)
    if examined.plan is not None:
        plan = examined.plan
        code_problems = tuple(problems_of_code(plan))
        if code_problems:
            return Report(str(path), WRONG, _problems(file, code_problems), warnings)
        return Report(str(path), OK, (), (*warnings, *remarks(plan)), len(plan.nodes), len(plan.edges))
    return Report(str(path), WRONG, _problems(file, examined.problems), warnings)


def _problems(file: GraphFile, errors: Sequence[FlowError]) -> tuple[Problem, ...]:
    lines = line_map(file)
    found = []
    for error in errors:
        place, text = located(error, file, lines)
        found.append(Problem(place, error.code, text))
    return tuple(found)


def _print(report: Report) -> None:
    for warning in report.warnings:
        print(f"{report.path}: warning: {warning}", file=sys.stderr)
    for problem in report.problems:
        print(f"{problem.place}: {problem.text}")
    if not report.problems:
        print(f"{report.path}: ok, {report.nodes} nodes, {report.edges} edges")


def _plain(report: Report) -> dict[str, object]:
    problems = [
        {"file": each.place.path, "line": each.place.line, "code": each.code.text, "message": each.text}
        for each in report.problems
    ]
    return {
        "file": report.path,
        "ok": report.exit_code == OK,
        "nodes": report.nodes,
        "edges": report.edges,
        "problems": problems,
        "warnings": list(report.warnings),
    }
