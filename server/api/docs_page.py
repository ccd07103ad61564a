"""The description as one HTML page: no script, nothing loaded from anywhere."""

from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from html import escape
from typing import Any

from server.api.schema_words import access_words, anchor, operations_by_tag, schema_words

Json = dict[str, Any]

STYLE = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
code, pre { font: 14px/1.4 ui-monospace, monospace }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1rem }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem; border-bottom: 1px solid #8884 }
section { border-top: 1px solid #8888; padding: .5rem 0 }
nav li { list-style: none }
.method { font-weight: 700; display: inline-block; min-width: 4.5rem }
"""
STYLE_SOURCE = f"'sha256-{b64encode(sha256(STYLE.encode()).digest()).decode()}'"
POLICY = f"default-src 'none'; frame-ancestors 'none'; style-src {STYLE_SOURCE}"
"""The Content-Security-Policy under which the page has its looks."""


def page(description: Json) -> str:
    return "\n".join(_page(description))


def _page(description: Json) -> Iterator[str]:
    info = description["info"]
    yield '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{escape(info['title'])}</title><style>{STYLE}</style></head><body>"
    yield f"<h1>{escape(info['title'])} {escape(info['version'])}</h1>"
    yield from _paragraphs(info["description"])
    yield '<p>The same for programs: <a href="/openapi.json">/openapi.json</a></p><nav>'
    groups = operations_by_tag(description)
    for tag, operations in groups.items():
        yield f"<h2>{escape(tag)}</h2><ul>"
        for method, path, operation in operations:
            summary = escape(operation["summary"])
            yield f'<li><a href="#{anchor(method, path)}">{_signature(method, path)}</a> {summary}</li>'
        yield "</ul>"
    yield '<p><a href="#types">Types</a></p></nav>'
    for operations in groups.values():
        for method, path, operation in operations:
            yield from _operation(method, path, operation)
    yield '<h2 id="types">Types</h2>'
    for name, schema in description["components"]["schemas"].items():
        yield from _schema(name, schema)
    yield "</body></html>"


def _operation(method: str, path: str, operation: Json) -> Iterator[str]:
    yield f'<section id="{anchor(method, path)}"><h3>{_signature(method, path)}</h3>'
    yield from _paragraphs(f"{operation['summary']}\n\n{operation.get('description', '')}")
    yield f"<p>{_inline(access_words(operation))}</p>"
    if parameters := operation.get("parameters"):
        yield "<table><tr><th>parameter</th><th>in</th><th>value</th><th></th></tr>"
        for one in parameters:
            words = _linked(one["schema"])
            text = _inline(one.get("description", ""))
            name = f"<code>{one['name']}</code>"
            yield f"<tr><td>{name}</td><td>{one['in']}</td><td>{words}</td><td>{text}</td></tr>"
        yield "</table>"
    if body := operation.get("requestBody"):
        yield f"<p>Body: {_linked(body['content']['application/json']['schema'])}</p>"
    yield "<table><tr><th>status</th><th>body</th><th></th></tr>"
    for status, response in operation["responses"].items():
        bodies = [f"{_linked(one['schema'])} ({kind})" for kind, one in response.get("content", {}).items()]
        text = _inline(response["description"])
        yield f"<tr><td>{status}</td><td>{'<br>'.join(bodies) or 'none'}</td><td>{text}</td></tr>"
    yield "</table></section>"


def _schema(name: str, schema: Json) -> Iterator[str]:
    yield f'<section id="type-{name}"><h3>{name}</h3>'
    yield from _paragraphs(schema.get("description", ""))
    if "properties" not in schema:
        yield f"<p>{_linked(schema)}</p>"
    else:
        yield "<table><tr><th>field</th><th>value</th><th></th></tr>"
        for field, one in schema["properties"].items():
            text = _inline(one.get("description", ""))
            yield f"<tr><td><code>{escape(field)}</code></td><td>{_linked(one)}</td><td>{text}</td></tr>"
        yield "</table>"
    yield "</section>"


def _signature(method: str, path: str) -> str:
    return f'<span class="method">{method.upper()}</span> <code>{escape(path)}</code>'


def _linked(schema: Json) -> str:
    return "".join(
        f'<a href="#type-{word}">{word}</a>' if is_type else escape(word) for word, is_type in schema_words(schema)
    )


def _paragraphs(text: str) -> Iterator[str]:
    for part in text.split("\n\n"):
        if part.strip():
            yield f"<p>{_inline(part)}</p>"


def _inline(text: str) -> str:
    """Text with what is in backquotes as code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if n % 2 else part for n, part in enumerate(parts))
