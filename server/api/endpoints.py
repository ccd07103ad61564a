"""All endpoints beyond ModelBox's, and what is made of them: routes and descriptions."""

from typing import Any

import msgspec
from sanic import Sanic

from server.api import describe, events, health, job_graph, job_list, job_log, metrics
from server.api.describe import Descriptions, program_version
from server.api.docs_page import page
from server.api.endpoint import Endpoint, Handler
from server.api.openapi import description

ENDPOINTS: tuple[Endpoint, ...] = (
    *job_list.ENDPOINTS,
    *events.ENDPOINTS,
    *job_log.ENDPOINTS,
    *job_graph.ENDPOINTS,
    *health.ENDPOINTS,
    *metrics.ENDPOINTS,
    *describe.ENDPOINTS,
)

AboutJob = dict[str, Handler]
"""Handlers of GET /v1/modelbox/job/ID/WORD, by word."""


def add_routes(app: Sanic[Any, Any]) -> None:
    """Everything but what is about one job: jobs.py gives that its requests, since it owns the paths below
    /v1/modelbox/job."""
    for endpoint in ENDPOINTS:
        if not endpoint.word:
            methods = [endpoint.method, "HEAD"] if endpoint.method == "GET" else [endpoint.method]
            app.add_route(endpoint.on_the_wire(), endpoint.path, methods=methods, name=endpoint.name)


def about_job() -> AboutJob:
    return {endpoint.word: endpoint.on_the_wire() for endpoint in ENDPOINTS if endpoint.word}


def document() -> dict[str, Any]:
    """The API as an OpenAPI document."""
    return description(ENDPOINTS, program_version())


def descriptions() -> Descriptions:
    described = document()
    return Descriptions(msgspec.json.encode(described), page(described))
