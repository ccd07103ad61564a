"""From a graph file to its plan, for commands that need one: what is wrong is told, all of it."""

from collections.abc import Callable, Mapping

from server.flow.commands.collected import collected_warnings
from server.flow.commands.graph_file import GraphFile, line_map, located
from server.flow.graph.compile import examine_graph
from server.flow.plan import Plan


def built(file: GraphFile, args: Mapping[str, str], say: Callable[[str], object]) -> Plan | None:
    """The plan of `file` with `args` for its `[args]`; None when it has none, after every problem was said."""
    with collected_warnings() as messages:
        examined = examine_graph(file.text, file.format, args=args)
    for message in messages:
        say(f"{file.path}: warning: {message}")
    lines = line_map(file)
    for problem in examined.problems:
        place, text = located(problem, file, lines)
        say(f"{place}: {text}")
    return examined.plan
