"""`/openapi.json` and `/docs`."""

from importlib.metadata import version
from typing import Any, ClassVar

import msgspec
from sanic import HTTPResponse, Request

from server.api.answers import answer
from server.api.docs_page import POLICY
from server.api.endpoint import Endpoint, OtherBody
from server.api.rights import Right, Scoped

PROGRAM = "modelbox-server"


def program_version() -> str:
    return version(PROGRAM)


class OpenApiDocument(OtherBody):
    """An OpenAPI 3.1 document."""

    media_type = "application/json"
    schema: ClassVar[dict[str, Any]] = {"type": "object"}

    def __init__(self, text: bytes) -> None:
        self._text = text

    async def send(self, request: Request) -> HTTPResponse:
        return answer(200, self._text)


class HtmlPage(OtherBody):
    """A page for a browser, complete in itself."""

    media_type = "text/html"
    schema: ClassVar[dict[str, Any]] = {"type": "string"}

    def __init__(self, text: str) -> None:
        self._text = text

    async def send(self, request: Request) -> HTTPResponse:
        return answer(200, self._text.encode(), {"Content-Security-Policy": POLICY}, "text/html; charset=utf-8")


class Descriptions(msgspec.Struct, frozen=True):
    """What the two endpoints answer, made once."""

    openapi: bytes
    page: str


async def openapi(request: Request) -> OpenApiDocument:
    """This description of the API, for programs."""
    return OpenApiDocument(request.app.ctx.descriptions.openapi)


async def docs(request: Request) -> HtmlPage:
    """This description of the API, for people."""
    return HtmlPage(request.app.ctx.descriptions.page)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/openapi.json",
        handler=openapi,
        tag="description",
        right=Right.OPEN,
        scoped=Scoped.NO_JOBS,
    ),
    Endpoint(method="GET", path="/docs", handler=docs, tag="description", right=Right.OPEN, scoped=Scoped.NO_JOBS),
)
