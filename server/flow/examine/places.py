"""Where a problem is and what would be right, read from its message.

The messages are ModelBox's words, and ours behind them in a few fixed forms (`graph/draft.py`); whoever changes
those forms has the tests of this module against them.
"""

import re

import msgspec

_NODE = re.compile(r"\bnode '(?P<node>[^']+)'(?: \(line (?P<line>[0-9]+)\))?")
_LINE = re.compile(r"\(line ([0-9]+)|\bin line ([0-9]+)|\(at line ([0-9]+)")
_PORT = re.compile(r"(?:\bport \[ (?P<config>\S+) \]|\bport '(?P<quoted>[^']+)')")
_MEANT = re.compile(r"did you mean ((?:'[^']*'(?: or )?)+)\?")
_AVAILABLE = re.compile(r"available: ((?:'[^']*'(?:, )?)+)")
_UNIT_PORTS = re.compile(r"the unit has the inputs (.*?) and the outputs ((?:'[^']*'(?:, )?)+|none)")
_QUOTED = re.compile(r"'([^']*)'")


class Spot(msgspec.Struct, frozen=True, kw_only=True):
    """What a message names; each only where it does. `line` is one of the DOT text, unless the message is about
    the graph file itself. `available` is cut off where the message is."""

    node: str = ""
    line: int = 0
    port: str = ""
    did_you_mean: tuple[str, ...] = ()
    available: tuple[str, ...] = ()


def spot_of(message: str) -> Spot:
    node, port = _NODE.search(message), _PORT.search(message)
    return Spot(
        node=node["node"] if node else "",
        line=_line(message, node),
        port=(port["config"] or port["quoted"]) if port else "",
        did_you_mean=_names(_MEANT.search(message)),
        available=_names(_AVAILABLE.search(message)) or _names(_UNIT_PORTS.search(message)),
    )


def _line(message: str, node: re.Match[str] | None) -> int:
    if node is not None:
        # another line would be one of the code of its unit
        return int(node["line"] or 0)
    found = _LINE.search(message)
    return int(next(number for number in found.groups() if number)) if found else 0


def _names(found: re.Match[str] | None) -> tuple[str, ...]:
    if found is None:
        return ()
    return tuple(name for group in found.groups() for name in _QUOTED.findall(group))
