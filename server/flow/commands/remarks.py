"""What looks like a mistake in a graph that runs: attributes that nothing reads, or that cannot be read."""

from collections.abc import Callable, Iterator
from difflib import get_close_matches

from server.flow import values
from server.flow.plan import Plan, PlanNode
from server.flow.run.sizes import batch_size

_COUNTS = ("batch_size", "queue_size", "queue_size_external")
_NODE_KEYS = ("type", "flowunit", "device", "deviceid", "need_check_output", "label", *_COUNTS)
_IGNORED = {
    "queue_size_event": "the queue of events has no size",
    "is_exception_visible": "write exception_visible = true into the unit's description",
    "exception_visible": "it belongs into the unit's description",
}
_PARSERS: dict[str, Callable[[str], object]] = {
    "int": values.parse_int,
    "bool": values.parse_bool,
    "float": values.parse_float,
}


def remarks(plan: Plan) -> Iterator[str]:
    """One for each attribute of a node that does not do what its writer must have wanted. A user's unit may read
    any attribute, so that only what is nearly the name of a known one is remarked on."""
    for node in plan.nodes:
        if node.unit is None:
            continue
        known = _known_types(node)
        for key, value in node.options.items():
            remark = _remark(key, value, known)
            if remark:
                yield f"node '{node.name}': {remark}"
        wanted, most = values.parse_int(node.options.get("batch_size", "")), batch_size(node, node.unit)
        if wanted is not None and wanted > most:
            yield f"node '{node.name}': batch_size = {wanted} counts as {most}, more its unit does not take"


def _known_types(node: PlanNode) -> dict[str, str]:
    """The attributes that are read, with the type of each; "" where any text will do."""
    assert node.unit is not None
    types = dict.fromkeys((*_NODE_KEYS, *node.unit.config), "")
    types |= dict.fromkeys((*_COUNTS, *(f"queue_size_{port}" for port in node.inputs)), "int")
    types |= {option.name: option.type for option in node.unit.options}
    return types | {"need_check_output": "bool"}


def _remark(key: str, value: str, known: dict[str, str]) -> str:
    if key in known:
        kind = known[key]
        parse = _PARSERS.get(kind)
        if parse is None or parse(value) is not None:
            return ""
        return f"{key} = '{value}' cannot be read as {kind}, so its default holds"
    if key in _IGNORED:
        return f"{key} does nothing, as in ModelBox: {_IGNORED[key]}"
    close = get_close_matches(key, known, n=1, cutoff=0.8)
    return f"nothing reads {key}; did you mean {close[0]}?" if close else ""
