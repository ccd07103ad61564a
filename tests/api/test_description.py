"""The description is complete, holds together, and docs/api.md is it."""

import re
from pathlib import Path
from typing import Any

import pytest

from server.api import jobs
from server.api.docs_markdown import markdown
from server.api.docs_page import page
from server.api.endpoint import JOB
from server.api.endpoints import ENDPOINTS, document

ROOT = Path(__file__).parent.parent.parent
DOCUMENT = document()


def test_docs_api_md_is_the_description() -> None:
    """When this fails: modelbox-server api-doc > docs/api.md"""
    assert (ROOT / "docs" / "api.md").read_text() == markdown(DOCUMENT)


def test_every_endpoint_is_in_it_and_has_a_word_to_say() -> None:
    for endpoint in ENDPOINTS:
        operation = DOCUMENT["paths"][endpoint.path][endpoint.method.lower()]
        assert operation["operationId"] == endpoint.name
        assert operation["summary"].endswith(".")
    names = [one["operationId"] for path in DOCUMENT["paths"].values() for one in path.values()]
    assert len(names) == len(set(names))


def test_modelboxs_endpoints_are_in_it() -> None:
    methods = {
        method.upper() for path, one in DOCUMENT["paths"].items() if path.startswith(jobs.BASE) for method in one
    }
    assert methods == set(jobs.ALLOW.split(", ")) - {"HEAD"}


def refs(node: Any) -> set[str]:
    match node:
        case {"$ref": str(target)}:
            return {target}
        case dict():
            return set().union(*(refs(value) for value in node.values()))
        case list() | tuple():
            return set().union(*(refs(value) for value in node))
    return set()


def test_every_reference_leads_somewhere() -> None:
    schemas = {f"#/components/schemas/{name}" for name in DOCUMENT["components"]["schemas"]}
    assert refs(DOCUMENT) <= schemas


def test_parameters_in_a_path_are_described() -> None:
    for path, methods in DOCUMENT["paths"].items():
        for operation in methods.values():
            described = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "path"}
            assert described == set(re.findall(r"{(\w+)}", path))


@pytest.mark.parametrize(
    "endpoint", [one for one in ENDPOINTS if one.path.startswith(JOB)], ids=lambda one: one.path
)
def test_no_word_below_a_job_is_modelboxs(endpoint: Any) -> None:
    assert endpoint.word.isidentifier()
    assert endpoint.word != "all"


def test_the_page_loads_nothing_and_its_links_lead_somewhere() -> None:
    html = page(DOCUMENT)
    assert not re.search(r"<script|src=|https?://|@import|url\(", html)
    targets = set(re.findall(r'href="#([^"]+)"', html))
    assert targets <= set(re.findall(r'id="([^"]+)"', html))
    for path in DOCUMENT["paths"]:
        assert path in html
