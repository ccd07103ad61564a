"""`GET /v1/modelbox/job/ID/graph`: a job's graph as it was sent, compiled, and as a picture of how it stands."""

from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta
from sanic import HTTPResponse, Request

from server.api.answers import answer
from server.api.endpoint import JOB, Endpoint, JobPath, OtherBody
from server.api.node_health import NOTHING_KNOWN, Health
from server.api.validation import examined, place_in_graph
from server.flow.examine.confined import Examiner
from server.flow.examine.places import spot_of
from server.flow.examine.task import Outcome, Task, View
from server.flow.picture.svg import NO_MARKS, STYLE_SOURCE, Mark, Marks, NodeState
from server.jobs.commands import Graph
from server.jobs.errors import InvalidGraph, NoSuchJob
from server.jobs.ids import Digest, JobId
from server.jobs.state import Job
from server.jobs.words import JobStatus
from server.jobs.words import Outcome as Ending
from server.store import Store
from server.store.follower import Follower
from server.wire import full_status as health
from server.wire.graphs import GraphFormat

SVG_POLICY = f"default-src 'none'; frame-ancestors 'none'; style-src {STYLE_SOURCE}"


class GraphQuery(msgspec.Struct, frozen=True, kw_only=True):
    format: Annotated[
        GraphFormat,
        Meta(
            description="source: as it was sent; plan: as it was compiled, in JSON; dot: with units and ports, for"
            " Graphviz; svg: a picture that shows how its nodes stand"
        ),
    ] = GraphFormat.SOURCE


class GraphText(OtherBody):
    schema: ClassVar[dict[str, Any]] = {"type": "string"}
    policy: ClassVar[str] = ""

    def __init__(self, text: str) -> None:
        self._text = text

    async def send(self, request: Request) -> HTTPResponse:
        headers = {"Content-Security-Policy": self.policy} if self.policy else None
        is_text = self.media_type != "application/json"
        kind = f"{self.media_type}; charset=utf-8" if is_text else self.media_type
        if not self._text:  # `answer` leaves the type of nothing out
            headers = {**(headers or {}), "content-type": kind}
        return answer(200, self._text.encode(errors="replace"), headers, kind)


class GraphJson(GraphText):
    """A graph in JSON, or a plan."""

    media_type = "application/json"
    schema: ClassVar[dict[str, Any]] = {}


class GraphAsSent(GraphText):
    """A graph that is neither."""

    media_type = "text/plain"


class GraphToml(GraphText):
    """A graph in TOML."""

    media_type = "application/toml"


class GraphDot(GraphText):
    """DOT."""

    media_type = "text/vnd.graphviz"


class GraphSvg(GraphText):
    """A picture."""

    media_type = "image/svg+xml"
    policy = SVG_POLICY


class JobGraphs:
    """The graphs of the jobs that there are."""

    def __init__(self, store: Store, follower: Follower) -> None:
        self._store = store
        self._follower = follower

    async def by_digest(self, digest: Digest) -> Graph | None:
        """Raises: StoreUnavailable."""
        return await self._store.graph(digest)

    async def job(self, job_id: JobId) -> Job:
        """Raises: NoSuchJob, StoreUnavailable."""
        if not self._follower.is_current():
            await self._follower.catch_up()
        job = self._follower.jobs.get(job_id)
        if job is None:
            raise NoSuchJob
        return job

    async def find(self, job_id: JobId) -> tuple[Job, Graph]:
        """Raises: NoSuchJob, StoreUnavailable."""
        job = await self.job(job_id)
        graph = await self._store.graph(job.graph_digest)
        if graph is None:
            raise NoSuchJob
        return job, graph


async def job_graph(
    request: Request, path: JobPath, query: GraphQuery
) -> GraphJson | GraphToml | GraphAsSent | GraphDot | GraphSvg:
    """A job's graph: its source, its plan, its DOT, or a picture.

    The picture shows how the nodes stand, as the engine says now, with what went in and out in their titles; the
    nodes that the job's error names, and all nodes that are wrong in a graph that could not be built. Of a graph
    that cannot be built there is no plan, which is a 400 MODELBOX_008; its DOT, and the picture, are then as it
    was sent. So is the 400 for what cannot be read as DOT at all, or is too large for a picture.
    """
    job, graph = await request.app.ctx.graphs.find(path.job_id)
    if query.format is GraphFormat.SOURCE:
        return _as_sent(graph)
    if query.format is GraphFormat.PLAN and graph.plan is not None:
        return GraphJson(graph.plan)
    examiner: Examiner = request.app.ctx.examiner
    view = View(query.format.value)
    marks = NO_MARKS if view is not View.SVG else marks_of(job, await request.app.ctx.full_statuses.health(job))
    task = Task(source=graph.source, format=graph.format, plan=graph.plan, view=view, marks=marks)
    text = _shown(await examined(examiner, task))
    match view:
        case View.PLAN:
            return GraphJson(text)
        case View.DOT:
            return GraphDot(text)
        case View.SVG:
            return GraphSvg(text)


def _as_sent(graph: Graph) -> GraphJson | GraphToml | GraphAsSent:
    """A job may have failed because its graph is no JSON, whatever was said of it."""
    if graph.format != "json":
        return GraphToml(graph.source)
    try:
        msgspec.json.decode(graph.source)
    except (msgspec.DecodeError, UnicodeError):
        return GraphAsSent(graph.source)
    return GraphJson(graph.source)


_STATES = {
    health.NodeState.RUNNING: NodeState.BUSY,
    health.NodeState.IDLE: NodeState.OK,
    health.NodeState.STALLED: NodeState.STALLED,
    health.NodeState.FINISHED: NodeState.FINISHED,
    health.NodeState.FAILED: NodeState.ERROR,
}


def marks_of(job: Job, told: Health = NOTHING_KNOWN) -> Marks:
    """How the nodes of a job stand, as far as its engine and its state tell."""
    nodes: dict[str, Mark] = {}
    if job.engine is not None:
        nodes = {node.node: Mark(_STATES[node.state], _note(node)) for node in told.nodes or ()}
    elif job.outcome is Ending.SUCCEEDED:
        nodes = {node.node: Mark(NodeState.FINISHED) for node in told.nodes or ()}
    if job.stalled is not None:
        nodes |= {each.node: Mark(NodeState.STALLED, each.reason) for each in job.stalled.nodes}
    named = spot_of(job.error).node
    if named:
        nodes[named] = Mark(NodeState.ERROR, job.error)
    state = NodeState.OK if job.status is JobStatus.RUNNING else NodeState.IDLE
    return Marks(title=job.job_id, status=job.status, state=state, nodes=nodes, message=job.error)


def _note(node: health.NodeHealth) -> str:
    counts = f"{node.buffers_in} in, {node.buffers_out} out, {node.queued} waiting"
    return f"{counts}\n{node.reason}" if node.reason else counts


def _shown(outcome: Outcome) -> str:
    """Raises: InvalidGraph."""
    if outcome.shown is None:
        message = outcome.verdict.findings[0].message if outcome.verdict.findings else "it cannot be shown"
        raise InvalidGraph(message, place_in_graph(message))
    return outcome.shown


ENDPOINTS = (Endpoint(method="GET", path=f"{JOB}graph", handler=job_graph, tag="jobs", errors=(404, 503)),)
