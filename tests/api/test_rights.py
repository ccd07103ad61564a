"""What each endpoint needs: docs/access.md tells it, and nothing is open that does not say so."""

from pathlib import Path

import pytest

from server.api.endpoint import JOB
from server.api.endpoints import ENDPOINTS, document
from server.api.modelbox import DESCRIBED
from server.api.needs import all_needs
from server.api.rights import Need, Right, Scoped, default_need

PAGE = Path(__file__).parents[2] / "docs" / "access.md"
USES = {(one.method, one.path): one.need for one in [*DESCRIBED, *ENDPOINTS]}
OPEN = {"/health/live", "/health/ready", "/docs", "/openapi.json"}


def row(method: str, path: str, need: Need) -> str:
    scoped = "" if need.right is Right.OPEN else need.scoped
    return f"| {method} | {path} | {need.right} | {scoped} |"


def test_the_page_has_every_endpoint() -> None:
    """When this fails: put the rows that it names into docs/access.md."""
    expected = [
        row(method, path, need) for (method, path), need in sorted(USES.items(), key=lambda use: use[0][::-1])
    ]
    assert [
        line for line in PAGE.read_text().splitlines() if line.startswith(("| GET", "| P", "| DELETE"))
    ] == expected


def test_what_is_open_is_known_here() -> None:
    assert {path for (_, path), need in USES.items() if need.right is Right.OPEN} == OPEN


def test_whatever_changes_something_needs_more_than_reading() -> None:
    changing = [need.right for (method, _), need in USES.items() if method != "GET"]
    assert set(changing) == {Right.OPERATE}


def test_whatever_is_about_one_job_looks_at_its_labels() -> None:
    assert {need.scoped for (_, path), need in USES.items() if "{job_id}" in path} == {Scoped.JOB}


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_says_nothing_is_closed(method: str) -> None:
    need = default_need(method, "/v1/modelbox/new")
    assert need == Need(Right.READ if method == "GET" else Right.OPERATE, Scoped.CLOSED)
    assert default_need(method, f"{JOB}word").scoped is Scoped.JOB


class Route:
    def __init__(self, path: str) -> None:
        self.path = path


class Request:
    """What is asked of a request."""

    def __init__(self, method: str, below_jobs: str) -> None:
        self.method = method
        self.route = Route("v1/modelbox/job/<rest:path>")
        self.match_info = {"rest": below_jobs}


@pytest.mark.parametrize(
    ("method", "below", "job_id", "scoped"),
    [
        ("GET", "a", "a", Scoped.JOB),
        ("HEAD", "a", "a", Scoped.JOB),
        ("GET", "a/history", "a", Scoped.JOB),
        ("GET", "%61/%68istory", "a", Scoped.JOB),
        ("GET", "a%2Fb", "a/b", Scoped.JOB),
        ("GET", "a/x/y", "a", Scoped.JOB),
        ("GET", "list", "list", Scoped.JOB),
        ("GET", "list/all", None, Scoped.FILTERED),
        ("GET", "list%2Fall", "list/all", Scoped.JOB),
        ("GET", "list/x", "list", Scoped.JOB),
        ("GET", "", None, Scoped.NO_JOBS),
        ("DELETE", "a", "a", Scoped.JOB),
        ("PUT", "a/history", None, Scoped.LABELS),
        ("POST", "a", None, Scoped.LABELS),
        ("POST", "validate", None, Scoped.NO_JOBS),
        ("PATCH", "a", "a", Scoped.JOB),
    ],
)
def test_a_request_below_the_jobs(method: str, below: str, job_id: str | None, scoped: Scoped) -> None:
    asked = all_needs(ENDPOINTS).of(Request(method, below))  # type: ignore[arg-type]
    assert (asked.job_id, asked.need.scoped) == (job_id, scoped)
    assert asked.need.right is (Right.READ if method in ("GET", "HEAD") else Right.OPERATE)


def test_the_description_says_it_too() -> None:
    for (method, path), need in USES.items():
        operation = document()["paths"][path][method.lower()]
        is_open = need.right is Right.OPEN
        assert operation["security"] == (
            [] if is_open else [{"token": [need.right]}, {"certificate": [need.right]}]
        )
        assert ({"401", "403"} <= operation["responses"].keys()) is not is_open
    without = document(needs_token=False)["paths"]["/version"]["get"]["security"]
    assert without[0] == {}
