"""A graph's text examined: everything that is wrong with it, or its plan."""

from pathlib import Path

import msgspec

from server.flow.commands.collected import collected_warnings
from server.flow.commands.graph_file import GraphFile, line_map, located
from server.flow.commands.remarks import remarks
from server.flow.commands.unit_code import problems_of_code
from server.flow.examine.places import Spot, spot_of
from server.flow.graph.compile import examine_graph
from server.flow.plan import Plan
from server.flow.secrets import ALL_SECRETS, AllowedSecrets, problems_of_references
from server.flow.status import FlowError


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One problem. `status` is ModelBox's word for its kind; `source_line` counts in the text that was examined, 0
    where it is not known."""

    status: str
    message: str
    spot: Spot
    source_line: int = 0


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """`plan` is its JSON, None exactly when there are findings."""

    findings: tuple[Finding, ...] = ()
    warnings: tuple[str, ...] = ()
    nodes: int = 0
    edges: int = 0
    plan: str | None = None


def examine(source: str, graph_format: str, secrets: AllowedSecrets = ALL_SECRETS) -> Verdict:
    """As an engine would compile it: without arguments, so that `[args]` have their defaults. Python units are
    looked into, and not run; secrets are not looked at."""
    with collected_warnings() as messages:
        examined = examine_graph(source, graph_format, args={})
    warnings = tuple(messages)
    plan = examined.plan
    if plan is None:
        return Verdict(findings=_findings(source, graph_format, examined.problems), warnings=warnings)
    problems = (*problems_of_code(plan), *problems_of_references(plan, secrets))
    if problems:
        return Verdict(findings=_findings(source, graph_format, problems), warnings=warnings)
    return _right(plan, warnings)


def _right(plan: Plan, warnings: tuple[str, ...]) -> Verdict:
    return Verdict(
        warnings=(*warnings, *remarks(plan)),
        nodes=len(plan.nodes),
        edges=len(plan.edges),
        plan=plan.to_json(),
    )


def _findings(source: str, graph_format: str, problems: tuple[FlowError, ...]) -> tuple[Finding, ...]:
    file = GraphFile(Path("graph"), source, graph_format, source)
    # an object was made into one line of JSON: its lines are nobody's
    lines = line_map(file) if "\n" in source else None
    found = []
    for problem in problems:
        place = located(problem, file, lines)[0] if lines is not None else None
        of_source = place.line or 0 if place is not None and place.path == str(file.path) else 0
        message = str(problem)
        found.append(
            Finding(status=problem.code.text, message=message, spot=spot_of(message), source_line=of_source)
        )
    return tuple(found)
