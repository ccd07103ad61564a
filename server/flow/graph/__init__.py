"""Graph text into plans: settings, DOT, nodes and edges, and every check before a flow opens (spec 1 to 3).

May import: the values of `server.flow`, its catalogue, pydot. Nothing here runs a flow or loads a unit.
"""

from server.flow.graph.compile import Examination, compile_graph, examine_graph
from server.flow.graph.dot_grammar import warm_up
from server.flow.settings import detect_format

__all__ = ["compile_graph", "detect_format", "examine_graph", "warm_up", "Examination"]
