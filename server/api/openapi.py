"""The OpenAPI description, made from the endpoints' own types."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from server.api.described_care import add_care
from server.api.described_links import add_links
from server.api.endpoint import Endpoint, JobPath
from server.api.modelbox import DESCRIBED, Described
from server.api.rights import IN_DESCRIPTION, Need, Right
from server.jobs.events import SHOWN_TYPES
from server.wire.bodies import ErrorBody

Json = dict[str, Any]

REF = "#/components/schemas/{name}"
ABOUT = """\
ModelBox Server's API, as it is, and what an operator needs beyond it.

Every answer of 400 and above has `error_code` and `error_msg`; `detail` names the field, the node of the graph and
the line, where these are known. A query parameter that is unknown, malformed or given twice is a 400, except at
ModelBox's own endpoints, which ignore queries as it does, but for `dry_run`. HEAD is answered wherever GET is.
Times are UTC, in RFC 3339. While the database cannot be used, whatever needs it answers 503 with `Retry-After`.
Who may do what: docs/access.md. Changing what one has seen, and once: docs/care.md.
"""
ERRORS = {
    400: "A parameter is unknown or malformed; `detail.field` names it.",
    401: "A token is needed and none was sent, or it is none that counts (010).",
    403: "The token, or the certificate, does not allow it (011); or the client's address does not (006).",
    404: "There never was a job of that id.",
    409: "The job is being changed, or was changed meanwhile (012).",
    413: "The request's head, or its body, is larger than the server takes (006).",
    421: "The log is on another machine, which is named.",
    503: "The database cannot be used now, or too much is being done already.",
}


SCHEMES: Json = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "Made by `modelbox-server token create`. Where none is needed, one that is sent counts.",
    },
    "certificate": {
        "type": "mutualTLS",
        "description": "A client's certificate whose name has a role under `tls.roles` in the configuration.",
    },
}


def description(endpoints: Sequence[Endpoint], version: str, *, needs_token: bool = True) -> Json:
    """The API as an OpenAPI 3.1 document. `needs_token`: of a server that lets nobody in without."""
    schemas = _Schemas(endpoints)
    paths: dict[str, Json] = {}
    for described in DESCRIBED:
        paths.setdefault(described.path, {})[described.method.lower()] = _described(described, schemas)
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _endpoint(endpoint, schemas)
    uses: list[Described | Endpoint] = [*DESCRIBED, *endpoints]
    for one in uses:
        operation = paths[one.path][one.method.lower()]
        operation["responses"] = _sorted(operation["responses"], _errors({413: ERRORS[413]}))
        _add_access(operation, one.need, needs_token)
        add_care(operation, one.method, one.path, _errors)
    add_links(paths)
    return {
        "openapi": "3.1.0",
        "info": {"title": "modelbox-server", "version": version, "description": ABOUT},
        "paths": paths,
        "components": {"securitySchemes": SCHEMES, "schemas": schemas.components},
    }


def _add_access(operation: Json, need: Need, needs_token: bool) -> None:
    if need.right is Right.OPEN:
        operation["security"] = []
        return
    shown: list[Json] = [{name: [need.right.value]} for name in SCHEMES]
    operation["security"] = shown if needs_token else [{}, *shown]
    operation[IN_DESCRIPTION] = need.scoped.value
    refusals = _errors({status: ERRORS[status] for status in (401, 403)})
    operation["responses"] = _sorted(refusals, operation["responses"])


class _Schemas:
    """JSON schemas of all types that the endpoints name."""

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        types = list(_types_of(endpoints))
        schemas, self.components = msgspec.json.schema_components(types, ref_template=REF)
        self._by_type = dict(zip(types, schemas, strict=True))

    def of(self, kind: Any) -> Json:
        """Of a type, or of several, one of which it is."""
        if isinstance(kind, tuple):
            return {"anyOf": [self.of(one) for one in kind]}
        schema: Json = self._by_type[kind]
        return schema

    def parameters(self, kind: type[msgspec.Struct], place: str) -> list[Json]:
        _, components = msgspec.json.schema_components([kind], ref_template=REF)
        properties: Json = components[kind.__name__]["properties"] if components else {}
        self.components |= {name: one for name, one in components.items() if name != kind.__name__}
        required = components.get(kind.__name__, {}).get("required", ())
        return [_parameter(name, place, dict(one), name in required) for name, one in properties.items()]


def _parameter(name: str, place: str, schema: Json, required: bool) -> Json:
    parameter: Json = {"name": name, "in": place, "required": required or place == "path"}
    if text := schema.pop("description", ""):
        parameter["description"] = text
    if schema.get("type") == "array":
        parameter |= {"style": "form", "explode": False}
    return {**parameter, "schema": schema}


def _types_of(endpoints: Sequence[Endpoint]) -> Iterator[Any]:
    found: dict[Any, None] = {ErrorBody: None}
    for described in DESCRIBED:
        bodies = [described.body, *(kind for _, kind in described.answers.values())]
        kinds = [kind for body in bodies for kind in (body if isinstance(body, tuple) else (body,))]
        found |= {kind: None for kind in kinds if kind is not None}
    for endpoint in endpoints:
        found |= {kind: None for kind in endpoint.answer_types if _is_struct(kind)}
    found |= dict.fromkeys(SHOWN_TYPES)
    yield from found


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _endpoint(endpoint: Endpoint, schemas: _Schemas) -> Json:
    answers: dict[str, Json] = {}
    for kind in endpoint.answer_types:
        status = str(getattr(kind, "http_status", 200))
        response = answers.setdefault(status, {"description": _first_line(kind), "content": {}})
        if _is_struct(kind):
            response["content"]["application/json"] = {"schema": schemas.of(kind)}
        else:
            response["content"][kind.media_type] = {"schema": kind.schema}
    errors = {400: ERRORS[400]} | {status: ERRORS[status] for status in endpoint.errors}
    operation = _operation(endpoint.name, endpoint.docstring, endpoint.tag)
    parameters = schemas.parameters(endpoint.path_type, "path") + schemas.parameters(endpoint.query_type, "query")
    if parameters:
        operation["parameters"] = parameters
    return {**operation, "responses": _sorted(answers, _errors(errors))}


def _described(described: Described, schemas: _Schemas) -> Json:
    answers: dict[str, Json] = {}
    for status, (text, kind) in described.answers.items():
        answers[str(status)] = {"description": text}
        if kind is not None:
            answers[str(status)]["content"] = {"application/json": {"schema": schemas.of(kind)}}
    operation = _operation(described.name, described.text, described.tag)
    parameters = schemas.parameters(JobPath, "path") if "{job_id}" in described.path else []
    if described.query is not None:
        parameters += schemas.parameters(described.query, "query")
    if parameters:
        operation["parameters"] = parameters
    if described.body is not None:
        content = {"application/json": {"schema": schemas.of(described.body)}}
        operation["requestBody"] = {"required": True, "content": content}
    return {**operation, "responses": _sorted(answers, _errors(described.errors | {503: ERRORS[503]}))}


def _operation(name: str, text: str, tag: str) -> Json:
    summary, _, rest = text.partition("\n\n")
    operation: Json = {"operationId": name, "tags": [tag], "summary": " ".join(summary.split())}
    if rest:
        operation["description"] = "\n\n".join(" ".join(part.split()) for part in rest.split("\n\n"))
    return operation


def _errors(errors: dict[int, str]) -> dict[str, Json]:
    schema = {"$ref": REF.format(name=ErrorBody.__name__)}
    content = {"application/json": {"schema": schema}}
    return {str(status): {"description": text, "content": content} for status, text in errors.items()}


def _sorted(*groups: dict[str, Json]) -> dict[str, Json]:
    merged = {status: one for group in groups for status, one in group.items()}
    return dict(sorted(merged.items()))


def _doc(kind: Any) -> str:
    return " ".join((kind.__doc__ or kind.__name__).split())


def _first_line(kind: Any) -> str:
    return _doc(kind).partition(". ")[0]
