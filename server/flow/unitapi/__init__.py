"""What a flow unit sees of the engine (spec 5): one set of classes for built-in and for users' units.

May import `server.flow.status` and `server.flow.values` only. numpy is imported where a buffer is turned into an
array, not before.
"""

from server.flow.unitapi.buffer import Buffer, BufferKind, DataType
from server.flow.unitapi.buffer_list import BufferList
from server.flow.unitapi.configuration import Configuration
from server.flow.unitapi.context import DataContext, DataMeta, FlowUnitError, FlowUnitEvent, SessionContext
from server.flow.unitapi.flowunit import Device, ExternalData, FlowUnit
from server.flow.unitapi.status import Status, UnitStatusCode

__all__ = [
    "FlowUnit",
    "DataContext",
    "Buffer",
    "BufferKind",
    "BufferList",
    "DataType",
    "Status",
    "UnitStatusCode",
    "Configuration",
    "SessionContext",
    "DataMeta",
    "FlowUnitEvent",
    "FlowUnitError",
    "ExternalData",
    "Device",
]
