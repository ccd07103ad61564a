"""A sketch as SVG: readable on light and dark, complete in itself, without scripts."""

import re
import textwrap
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from hashlib import sha256
from html import escape

import msgspec

from server.flow.picture.arrange import LANE_GAP, Arrangement, Point, Size, arrange
from server.flow.picture.order import Link
from server.flow.picture.sketch import Arrow, Box, Sketch
from server.flow.settings import shown

STYLE = """
text { font: 12px ui-monospace, Menlo, Consolas, monospace; fill: #1d2433 }
.page { fill: #f8f9fb }
.head { font-size: 14px; font-weight: 700 }
.name { font-weight: 700 }
.kind, .port { fill: #667085; font-size: 11px }
.box { fill: #fff; stroke: #98a2b3; stroke-width: 1.5 }
.ok .box { stroke: #12805c }
.busy .box { stroke: #12805c; stroke-width: 3 }
.finished .box { stroke: #1f5fbf }
.error .box { stroke: #c4320a; stroke-width: 3; fill: #fff1eb }
.stalled .box { stroke: #a15c00; stroke-width: 3; stroke-dasharray: 6 4; fill: #fff7e6 }
.error .name, .message { fill: #c4320a }
.stalled .name { fill: #a15c00 }
.link { fill: none; stroke: #98a2b3; stroke-width: 1.5 }
.tip, .dot { fill: #98a2b3 }
@media (prefers-color-scheme: dark) {
text { fill: #e6e9f0 }
.page { fill: #10141f }
.kind, .port { fill: #98a2b3 }
.box { fill: #1c2333; stroke: #667085 }
.ok .box { stroke: #3ccf91 }
.busy .box { stroke: #3ccf91; stroke-width: 3 }
.finished .box { stroke: #7fb2ff }
.error .box { stroke: #ff8a65; fill: #3a1d14 }
.stalled .box { stroke: #ffc14d; fill: #35290f }
.error .name, .message { fill: #ff8a65 }
.stalled .name { fill: #ffc14d }
}
"""
STYLE_SOURCE = f"'sha256-{b64encode(sha256(STYLE.encode()).digest()).decode()}'"

MARGIN = 24.0
HEAD = 30.0
LETTER = 7.4
"""Pixels that a character of the monospaced font takes at most."""
MOST_LETTERS = 40
TITLE_HEIGHT = 46.0
ROW = 18.0
TIP = 7.0
LINE = 17.0
MOST_LINES = 8
_SIGNS = {"error": "✕ ", "stalled": "‖ ", "busy": "▶ ", "finished": "✓ "}
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class NodeState(StrEnum):
    IDLE = "idle"
    OK = "ok"
    BUSY = "busy"
    FINISHED = "finished"
    STALLED = "stalled"
    ERROR = "error"


class Mark(msgspec.Struct, frozen=True):
    state: NodeState
    note: str = ""


class Marks(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of the graph beside its form. `nodes` are named as messages name them; `state` is that of all
    others. `message` stands below the picture."""

    title: str = ""
    status: str = ""
    state: NodeState = NodeState.IDLE
    nodes: dict[str, Mark] = {}
    message: str = ""


NO_MARKS = Marks()


def draw(sketch: Sketch, marks: Marks = NO_MARKS) -> str:
    """The SVG's text. Raises: TooLarge."""
    return "\n".join(_Drawing(sketch, marks).lines()) + "\n"


class _Drawing:
    def __init__(self, sketch: Sketch, marks: Marks) -> None:
        self._sketch = sketch
        self._marks = marks
        self._sizes = [_size(box) for box in sketch.boxes]
        numbers = {box.name: number for number, box in enumerate(sketch.boxes)}
        links = [self._link(arrow, numbers) for arrow in sketch.arrows]
        self._plan: Arrangement = arrange(self._sizes, links)

    def _link(self, arrow: Arrow, numbers: Mapping[str, int]) -> Link:
        source, target = numbers[arrow.source], numbers[arrow.target]
        leaves = _port_height(self._sketch.boxes[source].outputs, arrow.source_port)
        return Link(source, target, leaves, _port_height(self._sketch.boxes[target].inputs, arrow.target_port))

    def lines(self) -> Iterator[str]:
        title = self._marks.title or self._sketch.name or "flow"
        head = f"{title}  {self._marks.status}".rstrip()
        width = max(self._plan.size.width, len(head) * (LETTER + 1), 320.0) + 2 * MARGIN
        below = _wrapped(self._marks.message, width)
        height = self._plan.size.height + HEAD + 2 * MARGIN + LINE * len(below) + (LANE_GAP if below else 0)
        yield (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_n(width)} {_n(height)}" width="{_n(width)}"'
            f' height="{_n(height)}" role="img">'
        )
        yield f"<title>{_text(head)}</title>"
        yield f"<style>{STYLE}</style>"
        yield f'<rect class="page" width="{_n(width)}" height="{_n(height)}"/>'
        yield f'<text class="head" x="{_n(MARGIN)}" y="{_n(MARGIN + 8)}">{_text(head)}</text>'
        yield f'<g transform="translate({_n(MARGIN)} {_n(MARGIN + HEAD)})">'
        for position, path in enumerate(self._plan.paths):
            yield from _drawn_link(path, position in self._plan.returning, self._sketch.arrows[position])
        for box, size, corner in zip(self._sketch.boxes, self._sizes, self._plan.corners, strict=True):
            yield from _drawn_box(box, size, corner, self._mark(box))
        yield "</g>"
        top = height - MARGIN - LINE * len(below) + 12
        for number, line in enumerate(below):
            yield f'<text class="message" x="{_n(MARGIN)}" y="{_n(top + LINE * number)}">{_text(line)}</text>'
        yield "</svg>"

    def _mark(self, box: Box) -> Mark:
        marks = self._marks
        return marks.nodes.get(box.name) or marks.nodes.get(shown(box.name)) or Mark(marks.state)


def _drawn_box(box: Box, size: Size, corner: Point, mark: Mark) -> Iterator[str]:
    tip = f"{box.name}: {box.kind} {box.device}".rstrip() + (f"\n{mark.note}" if mark.note else "")
    yield f'<g class="{mark.state}" transform="translate({_n(corner[0])} {_n(corner[1])})">'
    yield f"<title>{_text(tip)}</title>"
    yield f'<rect class="box" width="{_n(size.width)}" height="{_n(size.height)}" rx="8"/>'
    name = _cut(_SIGNS.get(mark.state, "") + box.name)
    yield f'<text class="name" x="12" y="20">{_text(name)}</text>'
    yield f'<text class="kind" x="12" y="36">{_text(_cut(_kind(box)))}</text>'
    for port in box.inputs:
        height = _port_height(box.inputs, port)
        yield f'<circle class="dot" cx="0" cy="{_n(height)}" r="3"/>'
        yield f'<text class="port" x="10" y="{_n(height + 4)}">{_text(_cut(port))}</text>'
    for port in box.outputs:
        height = _port_height(box.outputs, port)
        right = _n(size.width)
        yield f'<circle class="dot" cx="{right}" cy="{_n(height)}" r="3"/>'
        place = f'x="{_n(size.width - 10)}" y="{_n(height + 4)}" text-anchor="end"'
        yield f'<text class="port" {place}>{_text(_cut(port))}</text>'
    yield "</g>"


def _drawn_link(path: Sequence[Point], is_returning: bool, arrow: Arrow) -> Iterator[str]:
    x, y = path[-1]
    # the line ends where its tip begins
    end = (x - TIP - 3, y)
    drawn = _back(path[0], path[1][1], end) if is_returning else _onwards((*path[:-1], end))
    name = f"{arrow.source}:{arrow.source_port} → {arrow.target}:{arrow.target_port}"
    yield f'<g><title>{_text(name)}</title><path class="link" d="{drawn}"/>'
    left = end[0]
    corners = f"{_n(left)},{_n(y - 4)} {_n(left + TIP)},{_n(y)} {_n(left)},{_n(y + 4)}"
    yield f'<polygon class="tip" points="{corners}"/></g>'


def _onwards(path: Sequence[Point]) -> str:
    x, y = path[0]
    words = [f"M{_n(x)} {_n(y)}"]
    for to_x, to_y in path[1:]:
        half = _n((x + to_x) / 2)
        straight = abs(to_y - y) < 0.5
        curve = f"C{half} {_n(y)} {half} {_n(to_y)} {_n(to_x)} {_n(to_y)}"
        words.append(f"L{_n(to_x)} {_n(to_y)}" if straight else curve)
        x, y = to_x, to_y
    return " ".join(words)


def _back(start: Point, lane: float, end: Point) -> str:
    (x, y), (to_x, to_y), far = start, end, 28.0
    return (
        f"M{_n(x)} {_n(y)} C{_n(x + far)} {_n(y)} {_n(x + far)} {_n(lane)} {_n(x)} {_n(lane)} "
        f"L{_n(to_x)} {_n(lane)} C{_n(to_x - far)} {_n(lane)} {_n(to_x - far)} {_n(to_y)} {_n(to_x)} {_n(to_y)}"
    )


def _size(box: Box) -> Size:
    rows = max(len(box.inputs), len(box.outputs))
    ports = _longest(box.inputs) + _longest(box.outputs) + (3 if box.inputs and box.outputs else 0)
    # two more for the sign of a state
    letters = max(len(_cut(box.name)) + 2, len(_cut(_kind(box))), ports, 10)
    return Size(letters * LETTER + 24, TITLE_HEIGHT + ROW * rows + (6 if rows else 0))


def _port_height(ports: Sequence[str], port: str) -> float:
    return TITLE_HEIGHT + ROW * (ports.index(port) + 0.5)


def _longest(names: Sequence[str]) -> int:
    return max((len(_cut(name)) for name in names), default=0)


def _kind(box: Box) -> str:
    return f"{box.kind}  {box.device}".strip()


def _cut(name: str) -> str:
    return name if len(name) <= MOST_LETTERS else f"{name[: MOST_LETTERS - 1]}…"


def _wrapped(message: str, width: float) -> list[str]:
    if not message:
        return []
    lines = textwrap.wrap(message[:4000], int((width - 2 * MARGIN) / LETTER))
    return lines if len(lines) <= MOST_LINES else [*lines[: MOST_LINES - 1], "…"]


def _text(text: str) -> str:
    return escape(_NO_XML.sub("\ufffd", text))


def _n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
