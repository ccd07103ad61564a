"""The modules `_flowunit` and `modelbox`, as units import them (spec 5.1)."""

from importlib import import_module
from importlib.metadata import version
from types import ModuleType

from server.flow import unitapi
from server.flow.unitapi.log import Logger, Logging, log_class

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
_LOG_FUNCTIONS = ("debug", "info", "notice", "warn", "error", "fatal", "set_log_level")
_PROGRAMS = "server.flow.sdk"


def api_modules() -> dict[str, ModuleType]:
    """New modules by name. Both hold the same classes (ModelBox has a set for each) and share one log."""
    log = Logging()
    names: dict[str, object] = {name: getattr(unitapi, name) for name in _CLASSES}
    names.update({name: getattr(log, name) for name in _LOG_FUNCTIONS})
    names.update(Log=log_class(log), Logger=Logger)
    modules = {name: ModuleType(name, "The API of flow units.") for name in API_NAMES}
    for module in modules.values():
        vars(module).update(names)
    vars(modules["modelbox"])["__getattr__"] = _program_name
    return modules


def _program_name(name: str) -> object:
    """`Flow` and its like, loaded when a program asks for them: most units never do."""
    if name == "__version__":
        return version("modelbox-server")
    if not name.startswith("_") and name in import_module(_PROGRAMS).__all__:
        return getattr(import_module(_PROGRAMS), name)
    raise AttributeError(f"module 'modelbox' has no attribute {name!r}", name=name)
