"""From a task to its outcome."""

from msgspec.structs import replace

from server.flow.commands.show import dot_lines
from server.flow.examine.places import Spot
from server.flow.examine.task import Outcome, Task, View
from server.flow.examine.verdict import Finding, Verdict, examine
from server.flow.graph.compile import dot_text, read_graph
from server.flow.picture.arrange import TooLarge
from server.flow.picture.sketch import Sketch, sketch_of_dot, sketch_of_plan
from server.flow.picture.svg import Mark, Marks, NodeState, draw
from server.flow.plan import Plan, plan_from_json
from server.flow.status import FlowError, StatusCode


def carry_out(task: Task) -> Outcome:
    if task.view is None:
        return Outcome(verdict=examine(task.source, task.format, task.secrets))
    plan = None if task.plan is None else plan_from_json(task.plan)
    verdict = Verdict() if plan is not None else examine(task.source, task.format, task.secrets)
    if plan is None and verdict.plan is not None:
        plan = plan_from_json(verdict.plan)
    if plan is None and task.view is View.PLAN:
        return Outcome(verdict=verdict)
    try:
        return Outcome(verdict=verdict, shown=_shown(task, plan, verdict))
    except FlowError:
        return Outcome(verdict=verdict)
    except TooLarge:
        words = f"{StatusCode.RANGE.text}, the graph is too large for a picture; its DOT can be had"
        too_large = Finding(status=StatusCode.RANGE.text, message=words, spot=Spot())
        return Outcome(verdict=replace(verdict, findings=(too_large,)))


def _shown(task: Task, plan: Plan | None, verdict: Verdict) -> str:
    """Raises: FlowError, when there is no plan and the DOT cannot be read either; TooLarge."""
    if task.view is View.SVG:
        return draw(_sketch(task, plan), _with_findings(task.marks, verdict))
    if plan is None:
        read_graph(task.source, task.format)
        return dot_text(task.source, task.format)
    return plan.to_json() if task.view is View.PLAN else "\n".join(dot_lines(plan)) + "\n"


def _sketch(task: Task, plan: Plan | None) -> Sketch:
    return sketch_of_dot(read_graph(task.source, task.format)) if plan is None else sketch_of_plan(plan)


def _with_findings(marks: Marks, verdict: Verdict) -> Marks:
    """A failed job's error names the first problem only; the picture shows all of them."""
    found = {each.spot.node: Mark(NodeState.ERROR, each.message) for each in verdict.findings if each.spot.node}
    return replace(marks, nodes={**found, **marks.nodes})
