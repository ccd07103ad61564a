"""What the engine knows of a flow unit before it runs: names, ports, kind.

Built-in units carry one; Python units have theirs in a TOML file (spec 6). Graph checks and the scheduler
read nothing else of a unit.
"""

from enum import StrEnum

import msgspec


class FlowType(StrEnum):
    NORMAL = "normal"
    STREAM = "stream"


class OutputType(StrEnum):
    ORIGIN = "origin"
    EXPAND = "expand"
    COLLAPSE = "collapse"


class ConditionType(StrEnum):
    NONE = "none"
    IF_ELSE = "if_else"
    LOOP = "loop"


class Option(msgspec.Struct, frozen=True):
    """A node attribute that the unit reads. For people and tools: not enforced, as in ModelBox (spec 6.6)."""

    name: str
    type: str
    default: str
    description: str


class UnitDescription(msgspec.Struct, frozen=True, kw_only=True):
    """`entry` is `file@Class` for a Python unit and `module:Class` for a built-in one; `directory` is where
    the file is, "" for a built-in. Batch sizes: 0 = unlimited for `max_batch_size`."""

    name: str
    device: str = "cpu"
    version: str = "1.0.0"
    description: str
    group: str = ""
    entry: str
    directory: str = ""
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    flow_type: FlowType = FlowType.STREAM
    output_type: OutputType = OutputType.ORIGIN
    condition: ConditionType = ConditionType.NONE
    collapse_all: bool = True
    exception_visible: bool = False
    default_batch_size: int = 1
    max_batch_size: int = 1
    config: dict[str, str] = {}
    options: tuple[Option, ...] = ()

    def __post_init__(self) -> None:
        """Expand and collapse cancel condition and loop; condition and loop make a unit normal (spec 4.4)."""
        if self.condition is ConditionType.NONE:
            return
        if self.output_type is OutputType.ORIGIN:
            msgspec.structs.force_setattr(self, "flow_type", FlowType.NORMAL)
        else:
            msgspec.structs.force_setattr(self, "condition", ConditionType.NONE)
