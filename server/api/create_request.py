"""The body of a create request, checked in ModelBox's order (spec 8.3)."""

from typing import Any

import msgspec
from msgspec import Struct

from server.jobs.change import options_of
from server.jobs.commands import CreateJob, Graph
from server.jobs.errors import InternalError, InvalidCommand, InvalidJobId, NoGraph, NoJobId
from server.jobs.ids import JobId, is_valid_job_id
from server.jobs.limits import NO_LIMITS, Limits
from server.jobs.options import NO_OPTIONS, JobOptions, RestartPolicy

_BOM = b"\xef\xbb\xbf"
FORMATS = ("json", "toml")
DEFAULT_POLICY = RestartPolicy()


def parse_create(body: bytes, restart: RestartPolicy = DEFAULT_POLICY, limits: Limits = NO_LIMITS) -> CreateJob:
    """The command in `body`, a JSON object, whatever the Content-Type said. `restart` and `limits` have the values
    that `options.restart` and `options.limits` in it leave out.

    Raises: InvalidCommand (006), NoJobId (003), InternalError (001), NoGraph (004), InvalidJobId (007).
    """
    return command_of(fields_of(body), restart, limits)


def command_of(fields: Any, restart: RestartPolicy = DEFAULT_POLICY, limits: Limits = NO_LIMITS) -> CreateJob:
    """As parse_create, of a body that was decoded already."""
    if not isinstance(fields, dict) or "job_id" not in fields:
        raise NoJobId
    job_id = fields["job_id"]
    graph_format = fields.get("job_graph_format")
    if not isinstance(job_id, str):
        raise InternalError(f"job_id must be a string, not {_kind(job_id)}")
    if graph_format is not None and not isinstance(graph_format, str):
        raise InternalError(f"job_graph_format must be a string, not {_kind(graph_format)}")
    if "job_graph" not in fields:
        raise NoGraph
    graph = fields["job_graph"]
    if graph is None or graph == {}:
        raise InternalError("job_graph is empty")
    if not is_valid_job_id(job_id):
        raise InvalidJobId
    if graph_format is not None and graph_format not in FORMATS:
        raise InvalidCommand(f"Unsupport graph format: {graph_format}")
    options = _options(fields.get("options"), {"restart": restart, "limits": limits})
    return CreateJob(job_id=JobId(job_id), graph=graph_of(graph, graph_format), options=options)


def fields_of(body: bytes) -> Any:
    """The JSON value in `body`. Raises: InvalidCommand."""
    try:
        return msgspec.json.decode(body.removeprefix(_BOM))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidCommand(str(error)) from error
    except RecursionError as error:
        raise InvalidCommand("the JSON is nested too deeply") from error


def _options(given: object, defaults: dict[str, Struct]) -> JobOptions:
    if given is None:
        return NO_OPTIONS
    if isinstance(given, dict):
        given = {name: _completed(value, defaults.get(name)) for name, value in given.items()}
    return options_of(given)


def _completed(given: object, default: Struct | None) -> object:
    if default is None or not isinstance(given, dict):
        return given
    return {**msgspec.to_builtins(default), **given}


def graph_of(graph: object, graph_format: str | None) -> Graph:
    """An object is JSON; a string is TOML unless the format says that it holds JSON text.

    Raises: InternalError.
    """
    if isinstance(graph, str):
        return Graph.of(graph_format or "toml", graph)
    if not isinstance(graph, dict):
        raise InternalError(f"job_graph must be an object, or a string of TOML, not {_kind(graph)}")
    if graph_format == "toml":
        raise InternalError("job_graph must be a string of TOML when job_graph_format is toml, not an object")
    return Graph.of("json", msgspec.json.encode(graph).decode())


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", bool: "a boolean", int: "a number", float: "a number"}
    return "null" if value is None else names.get(type(value), type(value).__name__)
