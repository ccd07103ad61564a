"""The modules `_flowunit` and `modelbox`, as units import them (spec 5.1)."""

from types import ModuleType

from server.flow import unitapi

API_NAMES = frozenset({"_flowunit", "modelbox"})

_CLASSES = (
    "Buffer",
    "BufferList",
    "Configuration",
    "DataContext",
    "DataMeta",
    "Device",
    "ExternalData",
    "FlowUnit",
    "FlowUnitError",
    "FlowUnitEvent",
    "SessionContext",
    "Status",
)


def api_modules() -> dict[str, ModuleType]:
    """New modules by name. Both hold the same classes (ModelBox has a set for each)."""
    modules = {}
    for name in sorted(API_NAMES):
        module = modules[name] = ModuleType(name, "The API of flow units.")
        for class_name in _CLASSES:
            setattr(module, class_name, getattr(unitapi, class_name))
    return modules
