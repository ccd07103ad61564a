"""Files of flows: a graph in TOML or JSON, or the JSON body of a request that creates a job."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import tomli

from server.jobs.ids import Digest, digest_of, is_valid_job_id

STDIN = Path("-")
SUFFIXES = (".toml", ".json")
DISABLED = "DISABLED_"
"""Files with this in their name are left alone, as in the server's own folder of flows."""


class Unusable(Exception):
    """Says which file, and what is wrong with it."""


class NoFlow(Unusable):
    """A file of another kind."""


@dataclass(frozen=True)
class FlowFile:
    """`source` is the graph's text in `graph_format`, json or toml; `options` None when the file has none.
    `is_body`: the file is the body of a request, so that its lines are not those of the source."""

    job_id: str
    graph_format: str
    source: str
    options: dict[str, Any] | None
    path: Path
    is_body: bool = False

    @property
    def digest(self) -> Digest:
        """As the server works it out for the same graph."""
        return digest_of(self.graph_format, self.source)


@dataclass(frozen=True)
class Found:
    """`skipped`: files in folders that hold no flow, and why."""

    flows: tuple[FlowFile, ...]
    skipped: tuple[str, ...] = field(default=())


def read_all(paths: Sequence[Path]) -> Found:
    """The flows in files and folders, one level deep. Raises: Unusable, also when two have the same job id."""
    flows: dict[str, FlowFile] = {}
    skipped: list[str] = []
    for path, is_named in files_in(paths):
        try:
            flow = read_flow(path)
        except NoFlow as error:
            if is_named:
                raise
            skipped.append(str(error))
            continue
        if flow.job_id in flows:
            raise Unusable(f"{path}: job '{flow.job_id}' is in {flows[flow.job_id].path} already")
        flows[flow.job_id] = flow
    return Found(tuple(flows.values()), tuple(skipped))


def read_flow(path: Path, job_id: str | None = None) -> FlowFile:
    """The flow in a file, or on stdin for `-`. A job id of its own is that of a request body; that of a graph is
    the file's name without .toml or .json. Raises: Unusable, NoFlow."""
    text = _text_of(path)
    tree, graph_format = _parsed(path, text)
    if "job_graph" in tree and graph_format == "json":
        return _of_body(path, tree, job_id)
    if "graph" not in tree:
        raise NoFlow(f"{path}: no flow: it has neither a [graph] nor a job_graph")
    return FlowFile(_checked_id(path, job_id or _name(path)), graph_format, text, None, path)


def is_flow(path: Path) -> bool:
    """True for broken ones too."""
    try:
        read_flow(path)
    except NoFlow:
        return False
    except Unusable:
        return True
    return True


def files_in(paths: Sequence[Path]) -> Iterator[tuple[Path, bool]]:
    """Each path that is no folder, with True, and the files in folders that may be flows, with False."""
    for path in paths:
        if not path.is_dir():
            yield path, True
            continue
        for file in sorted(path.iterdir()):
            if _may_be_flow(file):
                yield file, False


def _may_be_flow(file: Path) -> bool:
    if file.name.startswith(".") or DISABLED in file.name:
        return False
    return (file.suffix in SUFFIXES or not file.suffix) and file.is_file()


def _text_of(path: Path) -> str:
    try:
        data = sys.stdin.buffer.read() if path == STDIN else path.read_bytes()
        return data.decode()
    except OSError as error:
        raise Unusable(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        kind = NoFlow if path.suffix not in SUFFIXES else Unusable
        raise kind(f"{path}: no UTF-8 text (byte {error.start}), a flow is TOML or JSON") from error


def _parsed(path: Path, text: str) -> tuple[dict[str, Any], str]:
    is_json = path.suffix == ".json" or (path.suffix != ".toml" and text.lstrip("\ufeff \t\r\n").startswith("{"))
    try:
        tree = msgspec.json.decode(text.removeprefix("\ufeff")) if is_json else tomli.loads(text)
    except (msgspec.DecodeError, tomli.TOMLDecodeError, RecursionError) as error:
        kind = NoFlow if path.suffix not in SUFFIXES and path != STDIN else Unusable
        raise kind(f"{path}: not valid {'JSON' if is_json else 'TOML'}: {error}") from error
    if not isinstance(tree, dict):
        raise NoFlow(f"{path}: no flow: it is no object")
    return tree, "json" if is_json else "toml"


def _of_body(path: Path, body: dict[str, Any], job_id: str | None) -> FlowFile:
    graph, options = body["job_graph"], body.get("options")
    if options is not None and not isinstance(options, dict):
        raise Unusable(f"{path}: options must be an object")
    given_id = job_id or body.get("job_id")
    if not isinstance(given_id, str):
        raise Unusable(f"{path}: job_id is missing, or no text")
    if isinstance(graph, dict):
        graph_format, source = "json", msgspec.json.encode(graph).decode()
    elif isinstance(graph, str):
        graph_format, source = body.get("job_graph_format") or "toml", graph
    else:
        raise Unusable(f"{path}: job_graph must be an object or text")
    return FlowFile(_checked_id(path, given_id), graph_format, source, options, path, is_body=True)


def _name(path: Path) -> str:
    if path == STDIN:
        raise Unusable("a graph on stdin has no name; give --id")
    return path.stem if path.suffix in SUFFIXES else path.name


def _checked_id(path: Path, job_id: str) -> str:
    if not is_valid_job_id(job_id):
        raise Unusable(
            f"{path}: '{job_id}' cannot be a job's id: 2 to 64 of the characters A-Z a-z 0-9 - + ~ _ . with no dot"
            " first"
        )
    return job_id
