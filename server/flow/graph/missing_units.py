"""Why a graph's unit is not to be had, and what there is instead."""

from dataclasses import dataclass

from server.flow.catalogue import Catalogue
from server.flow.graph.devices import DEVICES, DeviceRequest
from server.flow.graph.draft import listed, nearest
from server.flow.settings import shown
from server.flow.unit_file import Foreign


@dataclass(frozen=True)
class Absence:
    """`bad_entry`: the entry of the unit's description, if that alone is wrong with it; else ""."""

    words: str
    bad_entry: str = ""


def why_no_unit(catalogue: Catalogue, unit: str, request: DeviceRequest) -> Absence:
    """For a unit that none of the devices asked for has."""
    offered = sorted({each.device for each in catalogue.all() if each.name == unit})
    usable = [device for device in offered if device in DEVICES]
    refusal = request.refusal()
    if refusal:
        return Absence(f"{refusal}; the unit is there for {listed(usable)}" if usable else refusal)
    for problem in catalogue.problems:
        if unit in (problem.unit, problem.path.rpartition("/")[2].removesuffix(".toml")):
            return Absence(f"its description is broken: {shown(str(problem), 600)}", problem.entry)
    for foreign in catalogue.foreign:
        if foreign.unit == unit:
            return Absence(_of_another_engine(foreign))
    if offered:
        here = ", ".join(DEVICES)
        return Absence(f"the unit is there for {listed(offered)} only, and this engine has the device {here}")
    names = {each.name for each in catalogue.all()}
    words = "; ".join((f"there is no unit '{shown(unit)}'; {nearest(unit, names)}", *catalogue.missing[:3]))
    if catalogue.libraries:
        words += f"; compiled units, such as those of {shown(catalogue.libraries[0], 600)}, are not loaded here"
    return Absence(words)


def _of_another_engine(foreign: Foreign) -> str:
    described = f"{shown(foreign.path, 600)} describes it with type '{foreign.type}'"
    if foreign.type == "inference":
        engine = f"current environment does not support the inference type: '{shown(foreign.engine)}'"
        return f"{engine} ({described}): a unit of type 'python' may call an inference library"
    return f"{described}, and there is no engine for that type here, only for 'python'"
