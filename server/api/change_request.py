"""The body of a request to change a job: what is to be different, merged into what there is (RFC 7396)."""

from server.api.create_request import DEFAULT_POLICY, FORMATS, fields_of, graph_of
from server.jobs.change import ChangeJob, OptionsPatch
from server.jobs.errors import InvalidCommand, Place
from server.jobs.graph import Graph
from server.jobs.ids import JobId
from server.jobs.limits import NO_LIMITS, Limits
from server.jobs.options import RestartPolicy

GRAPH, FORMAT, OPTIONS, ID = "job_graph", "job_graph_format", "options", "job_id"


def parse_change(
    job_id: JobId, body: bytes, restart: RestartPolicy = DEFAULT_POLICY, limits: Limits = NO_LIMITS
) -> ChangeJob:
    """`restart` and `limits` have the values that a part of these options leaves out, of a job that has none yet.

    Raises: InvalidCommand (006), InternalError (001), as a create does.
    """
    fields = fields_of(body)
    if not isinstance(fields, dict):
        raise InvalidCommand("the body must be an object with what is to be different")
    unknown = next((name for name in fields if name not in (GRAPH, FORMAT, OPTIONS, ID)), None)
    if unknown is not None:
        raise InvalidCommand(
            f"{unknown} cannot be changed; {GRAPH}, {FORMAT} and {OPTIONS} can", Place(field=str(unknown))
        )
    if ID in fields and fields[ID] != job_id:
        raise InvalidCommand(f"{ID} is not the one in the path, which cannot be changed", Place(field=ID))
    options = fields.get(OPTIONS, {})
    if not isinstance(options, dict):
        raise InvalidCommand(f"{OPTIONS} must be an object", Place(field=OPTIONS))
    return ChangeJob(
        job_id=job_id,
        graph=_graph_in(fields),
        options=OptionsPatch(patch=options, restart=restart, limits=limits) if options else None,
    )


def _graph_in(fields: dict[str, object]) -> Graph | None:
    graph_format = fields.get(FORMAT)
    if graph_format is not None and graph_format not in FORMATS:
        raise InvalidCommand(f"Unsupport graph format: {graph_format}", Place(field=FORMAT))
    graph = fields.get(GRAPH)
    if GRAPH not in fields:
        if graph_format is not None:
            raise InvalidCommand(f"{FORMAT} says something about {GRAPH}, which is missing", Place(field=FORMAT))
        return None
    if graph is None or graph == {}:
        raise InvalidCommand(f"{GRAPH} is empty; a job always has one", Place(field=GRAPH))
    return graph_of(graph, str(graph_format) if graph_format is not None else None)
