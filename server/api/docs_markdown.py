"""The description as Markdown: docs/api.md."""

from collections.abc import Iterator
from typing import Any

from server.api.schema_words import access_words, operations_by_tag, schema_words

Json = dict[str, Any]


def markdown(description: Json) -> str:
    return "\n".join(_markdown(description)) + "\n"


def _markdown(description: Json) -> Iterator[str]:
    yield "# The API"
    yield ""
    yield description["info"]["description"].strip()
    yield ""
    yield "A running server shows the same at `/docs`, and as OpenAPI 3.1 at `/openapi.json`. This page is written"
    yield "by `modelbox-server api-doc`; a test compares it with the code."
    for tag, operations in operations_by_tag(description).items():
        yield f"\n## {tag[0].upper()}{tag[1:]}"
        for method, path, operation in operations:
            yield from _operation(method, path, operation)
    yield "\n## Types"
    for name, schema in description["components"]["schemas"].items():
        yield from _schema(name, schema)


def _operation(method: str, path: str, operation: Json) -> Iterator[str]:
    yield f"\n### {method.upper()} {path}"
    yield operation["summary"]
    if text := operation.get("description"):
        yield f"\n{text}"
    yield f"\n{access_words(operation)}"
    if parameters := operation.get("parameters"):
        yield "\n| parameter | in | value | |\n|---|---|---|---|"
        for one in parameters:
            text = one.get("description", "")
            yield f"| `{one['name']}` | {one['in']} | {_words(one['schema'])} | {_cell(text)} |"
    if body := operation.get("requestBody"):
        yield f"\nBody: {_words(body['content']['application/json']['schema'])}."
    yield "\n| status | body | |\n|---|---|---|"
    for status, response in operation["responses"].items():
        bodies = [f"{_words(one['schema'])} ({kind})" for kind, one in response.get("content", {}).items()]
        yield f"| {status} | {'; '.join(bodies) or 'none'} | {_cell(response['description'])} |"


def _schema(name: str, schema: Json) -> Iterator[str]:
    yield f"\n### {name}"
    if text := schema.get("description"):
        yield _one_line(text)
    if "properties" not in schema:
        yield f"\n{_words(schema)}"
    elif schema["properties"]:
        yield "\n| field | value | |\n|---|---|---|"
        for field, one in schema["properties"].items():
            yield f"| `{field}` | {_words(one)} | {_cell(one.get('description', ''))} |"


def _words(schema: Json) -> str:
    """With links to the types, and nothing that a table takes for its own."""
    return "".join(
        f"[{word}](#{word.lower()})" if is_type else _cell(word) for word, is_type in schema_words(schema)
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _one_line(text: str) -> str:
    return " ".join(text.split())
