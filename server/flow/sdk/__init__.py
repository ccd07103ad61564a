"""Building and driving flows from a program: what the module `modelbox` has beyond the API of units (spec 5.13).

May import everything of the flow package; nothing of it imports this.
"""

from server.flow.sdk.dynamic import DataHandler, ModelBoxEngine
from server.flow.sdk.external import ExternalDataMap, ExtOutputBufferList
from server.flow.sdk.flow import Flow
from server.flow.sdk.graph_desc import FlowGraphDesc, FlowNodeDesc, FlowPortDesc
from server.flow.sdk.model import Model
from server.flow.sdk.stream_io import FlowStreamIO

__all__ = [
    "Flow",
    "FlowStreamIO",
    "ExternalDataMap",
    "ExtOutputBufferList",
    "FlowGraphDesc",
    "FlowNodeDesc",
    "FlowPortDesc",
    "Model",
    "ModelBoxEngine",
    "DataHandler",
]
