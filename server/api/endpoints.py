"""All endpoints beyond ModelBox's, and what is made of them: routes and descriptions."""

from typing import Any

import msgspec
from sanic import Sanic

from server.api import (
    describe,
    events,
    health,
    job_graph,
    job_list,
    job_log,
    metrics,
    orders,
    token_list,
    versions,
)
from server.api.describe import Descriptions, program_version
from server.api.docs_page import page
from server.api.endpoint import Endpoint, Handler
from server.api.openapi import description

ENDPOINTS: tuple[Endpoint, ...] = (
    *job_list.ENDPOINTS,
    *events.ENDPOINTS,
    *job_log.ENDPOINTS,
    *job_graph.ENDPOINTS,
    *orders.ENDPOINTS,
    *versions.ENDPOINTS,
    *health.ENDPOINTS,
    *metrics.ENDPOINTS,
    *token_list.ENDPOINTS,
    *describe.ENDPOINTS,
)

AboutJob = dict[tuple[str, str], Handler]
"""Handlers of /v1/modelbox/job/ID/WORD, by method and word."""


def add_routes(app: Sanic[Any, Any]) -> None:
    """Everything but what is about one job: jobs.py gives that its requests, since it owns the paths below
    /v1/modelbox/job."""
    for endpoint in ENDPOINTS:
        if not endpoint.word:
            methods = [endpoint.method, "HEAD"] if endpoint.method == "GET" else [endpoint.method]
            app.add_route(endpoint.on_the_wire(), endpoint.path, methods=methods, name=endpoint.name)


def about_job() -> AboutJob:
    return {(endpoint.method, endpoint.word): endpoint.on_the_wire() for endpoint in ENDPOINTS if endpoint.word}


def document(*, needs_token: bool = True) -> dict[str, Any]:
    """The API as an OpenAPI document; `needs_token` says of which server."""
    return description(ENDPOINTS, program_version(), needs_token=needs_token)


def descriptions(*, needs_token: bool) -> Descriptions:
    described = document(needs_token=needs_token)
    return Descriptions(msgspec.json.encode(described), page(described))
