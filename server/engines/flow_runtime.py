"""The flow package as engines run it."""

import importlib

from server.flow.flow import Flow
from server.flow.graph import compile_graph
from server.flow.limits import FlowLimits
from server.flow.listeners import Listeners
from server.flow.plan import Plan
from server.flow.units import BUILTIN

_SMALL_GRAPH = """
[graph]
format = "graphviz"
graphconf = '''digraph g {
  receive[type=flowunit, flowunit=httpserver_sync_receive, device=cpu, endpoint="http://127.0.0.1:8080/example"]
  reply[type=flowunit, flowunit=httpserver_sync_reply, device=cpu]
  receive:out_request_info -> reply:in_reply_info
}'''
"""


class FlowRuntime:
    def warm_up(self) -> None:
        # the first graph costs a quarter of a second: the grammar is built then
        self.compile("toml", _SMALL_GRAPH)
        for unit in BUILTIN:
            importlib.import_module(unit.entry.partition(":")[0])

    def compile(self, graph_format: str, source: str) -> Plan:
        # a job has no arguments: what the graph declares under [args] has its defaults
        return compile_graph(source, graph_format, args={})

    def flow(self, plan: Plan, listeners: Listeners, limits: FlowLimits) -> Flow:
        return Flow(plan, listeners, limits)
