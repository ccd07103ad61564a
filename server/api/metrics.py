"""`/metrics`, for Prometheus."""

from typing import Any, ClassVar

from sanic import HTTPResponse, Request

from server.api.answers import answer
from server.api.endpoint import Endpoint, OtherBody
from server.api.scrape import Scrape
from server.metrics.text import CONTENT_TYPE


class MetricsText(OtherBody):
    """Prometheus' text format, version 0.0.4."""

    media_type = "text/plain"
    schema: ClassVar[dict[str, Any]] = {"type": "string"}

    def __init__(self, text: bytes) -> None:
        self._text = text

    async def send(self, request: Request) -> HTTPResponse:
        return answer(200, self._text, content_type=CONTENT_TYPE)


async def metrics(request: Request) -> MetricsText:
    """What is counted and measured of jobs, flows and the server.

    Answered within five seconds with what is known by then, whatever database, runner and engines do.
    At most a second old. docs/metrics.md lists what there is.
    """
    scrape: Scrape = request.app.ctx.scrape
    return MetricsText(await scrape.text())


ENDPOINTS = (Endpoint(method="GET", path="/metrics", handler=metrics, tag="metrics"),)
