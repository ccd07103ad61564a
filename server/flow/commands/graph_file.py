"""A graph file as the commands read it: its text, and where its DOT lines are in it."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from server.flow import values
from server.flow.settings import detect_format, load_settings
from server.flow.status import FlowError, StatusCode

MAX_GRAPH_FILE = 64_000_000
"""Bytes. Larger files are refused before they are read."""

_OPENING = re.compile(r"graphconf\"?\s*=\s*(?P<quotes>\"\"\"|''')")
_LINE = re.compile(r"(?P<before>\(line |\bin line |\(at line )(?P<line>[0-9]+)")
_LOAD_STEPS = ("Load config file failed", "invalid graph")


@dataclass(frozen=True)
class GraphFile:
    """`text` is the graph, in `format` (json or toml). It is `whole`, the file's text, unless the file is the body
    of a request to create a job, whose graph is a part of it."""

    path: Path
    text: str
    format: str
    whole: str


class _Body(msgspec.Struct):
    job_graph: dict[str, Any] | str


@dataclass(frozen=True)
class Place:
    """A position for people: `line` counts from 1 in the file at `path`, None where it is not known."""

    path: str
    line: int | None = None

    def __str__(self) -> str:
        return self.path if self.line is None else f"{self.path}:{self.line}"


@dataclass(frozen=True)
class LineMap:
    """From lines of the DOT text to lines of the file that holds it. Empty where they cannot be told."""

    path: str
    lines: dict[int, int] = field(default_factory=dict)


def read_graph_file(path: Path) -> GraphFile:
    """Raises: FlowError, when the file cannot be read or is no text."""
    try:
        if path.is_dir():
            raise _unreadable(path, "it is a folder, give the graph file in it")
        if path.stat().st_size > MAX_GRAPH_FILE:
            raise _unreadable(path, f"it is larger than {MAX_GRAPH_FILE} bytes")
        data = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from None
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise _unreadable(path, f"it is no UTF-8 text (byte {error.start}): a graph is TOML or JSON") from None
    return _graph_of_body(path, text) or GraphFile(path, text, detect_format(str(path), text), text)


def _graph_of_body(path: Path, text: str) -> GraphFile | None:
    """The graph in the body of a create request, which is JSON with `job_graph`; None for anything else."""
    if '"job_graph"' not in text:
        return None
    try:
        body = msgspec.json.decode(text, type=_Body)
    except (msgspec.DecodeError, RecursionError):
        return None
    graph = body.job_graph
    inner = graph if isinstance(graph, str) else json.dumps(graph)
    return GraphFile(path, inner, detect_format("", inner), text)


def _unreadable(path: Path, reason: str) -> FlowError:
    return FlowError(StatusCode.BADCONF, f"read file {path} failed, {reason}")


def line_map(file: GraphFile) -> LineMap:
    """Where the DOT lines of `file` are; the identity for a DOT file of its own."""
    try:
        settings = load_settings(file.text, file.format)
    except FlowError:
        return LineMap(str(file.path))
    parts = values.get_string_list(settings, "graph.graphconf")
    if not parts:
        return LineMap(settings.get("graph.graphconffilepath") or str(file.path))
    opening = _OPENING.search(file.whole)
    if opening is not None and len(parts) == 1:
        return LineMap(str(file.path), _of_block(file.whole, opening))
    return LineMap(str(file.path), _of_list(file.whole, parts))


def located(problem: FlowError, file: GraphFile, lines: LineMap) -> tuple[Place, str]:
    """The place of a problem and its text, whose line numbers are then those of the file."""
    text = str(problem)
    is_of_file = bool(problem.messages) and problem.messages[0].startswith(_LOAD_STEPS)
    is_of_file = is_of_file and "please check graph config" not in problem.messages[0]
    if is_of_file and file.text is not file.whole:
        return Place(str(file.path)), f"job_graph: {text}"
    moved = {} if is_of_file else lines.lines
    found = _LINE.search(text)
    path = str(file.path) if is_of_file else lines.path
    if found is None:
        return Place(str(file.path)), text
    known = is_of_file or bool(moved) or path != str(file.path)
    if not known:
        return Place(path), _LINE.sub(r"\g<before>\g<line> of the DOT text", text)
    number = int(found["line"])
    renumbered = _LINE.sub(lambda each: f"{each['before']}{moved.get(int(each['line']), int(each['line']))}", text)
    return Place(path, moved.get(number, number)), renumbered


def _of_block(text: str, opening: re.Match[str]) -> dict[int, int]:
    """A multi-line string of TOML: a line end directly after the opening quotes is not part of it."""
    begin = opening.end()
    end = text.find(opening["quotes"], begin)
    body = text[begin : end if end >= 0 else len(text)]
    first = text.count("\n", 0, begin) + 1
    if body.startswith(("\n", "\r\n")):
        body = body.partition("\n")[2]
        first += 1
    return {1 + number: first + number for number in range(body.count("\n") + 1)}


def _of_list(text: str, parts: list[str]) -> dict[int, int]:
    """Strings of a list, or one on a single line: each is looked for as it would be written, in order."""
    found: dict[int, int] = {}
    at, dot_line = 0, 1
    for part in parts:
        spellings = (json.dumps(part, ensure_ascii=False), json.dumps(part), f"'{part}'")
        places = [place for place in (text.find(spelling, at) for spelling in spellings) if place >= 0]
        if places:
            at = min(places)
            file_line = text.count("\n", 0, at) + 1
            found.update({dot_line + extra: file_line for extra in range(part.count("\n") + 1)})
            at += 1
        dot_line += part.count("\n") + 1
    return found
