"""The flow package as engines run it."""

import importlib

from server.flow.flow import Flow, FlowLimits
from server.flow.graph import compile_graph
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
        return compile_graph(source, graph_format)

    def flow(self, plan: Plan, listeners: Listeners, max_request_bytes: int) -> Flow:
        return Flow(plan, listeners, FlowLimits(max_request_bytes=max_request_bytes))
