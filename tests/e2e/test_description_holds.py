"""What is answered has no field that its type does not have. (That it has all of them: test_schemathesis.py.)"""

import string
from collections.abc import Iterator
from random import Random
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from server.api.endpoint import Endpoint
from server.api.endpoints import ENDPOINTS, document
from server.api.modelbox import DESCRIBED
from server.wire.bodies import ErrorBody
from tests.installation import Installation, bad_flow, echo_flow

DOCUMENT = msgspec.json.decode(msgspec.json.encode(document()))
READS = [endpoint for endpoint in ENDPOINTS if endpoint.method == "GET"]
ROUNDS = 25
JOBS = ("runs", "failed", "gone", "nobody", "%00", "%F0%9F%8D%8C", "." * 300)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with Installation(tmp_path_factory.mktemp("described") / "state") as installation:
        installation.start()
        assert installation.create("runs", echo_flow(installation.flow_port)).status_code == 201
        assert installation.create("failed", bad_flow()).status_code == 400
        assert installation.create("gone", bad_flow()).status_code == 400
        assert installation.delete("gone").status_code == 204
        yield installation


def some_value(schema: dict[str, Any], random: Random) -> str:
    """Mostly one that fits, sometimes anything."""
    if random.random() < 0.2:
        return "".join(random.choice(string.printable + "\0é🍌") for _ in range(random.randrange(12)))
    kinds = schema.get("anyOf", [schema])
    schema = random.choice([kind for kind in kinds if kind.get("type") != "null"])
    if "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "enum" in schema:
        return str(random.choice(schema["enum"]))
    if schema.get("type") == "array":
        return ",".join(some_value(schema["items"], random) for _ in range(random.randrange(4)))
    if schema.get("type") in ("integer", "number"):
        return str(random.choice([0, 1, 2, 3, 5, 10, 1000, -1, 0.01, 2**63 - 1, 2**70]))
    if schema.get("format") == "date-time":
        return random.choice(
            ["2026-01-01T00:00:00Z", "2099-12-31T23:59:59.999999+01:00", "9999-12-31T23:59:59-23:59"]
        )
    return random.choice(["", "a", "runs", "failed", "job-created"])


def some_query(parameters: list[dict[str, Any]], random: Random) -> str:
    chosen = [one for one in parameters if one["in"] == "query" and random.random() < 0.4]
    # nobody wants to wait here
    pairs = [
        (one["name"], some_value(one["schema"], random)) for one in chosen if one["name"] not in ("wait", "follow")
    ]
    return "&".join(f"{quote(name)}={quote(value)}" for name, value in pairs)


@pytest.mark.parametrize("endpoint", READS, ids=lambda endpoint: endpoint.name)
def test_only_what_is_described_is_answered(server: Installation, endpoint: Endpoint) -> None:
    random = Random(endpoint.name)
    operation = DOCUMENT["paths"][endpoint.path]["get"]
    seen: set[int] = set()
    for _ in range(ROUNDS):
        path = endpoint.path.replace("{job_id}", random.choice(JOBS))
        url = f"{path}?{some_query(operation.get('parameters', []), random)}"
        answer = server.http.get(url)
        assert str(answer.status_code) in operation["responses"], f"{url}: {answer.status_code} {answer.text}"
        described = operation["responses"][str(answer.status_code)].get("content", {"": None})
        assert answer.headers.get("content-type", "").partition(";")[0] in described
        assert_has_its_type(endpoint, answer.status_code, answer.content)
        seen.add(answer.status_code)
    assert {200, 503} & seen


def assert_has_its_type(endpoint: Endpoint, status: int, body: bytes) -> None:
    """Nothing is in it that its type does not have: read as that, and written again, it is the same."""
    types = [kind for kind in endpoint.answer_types if getattr(kind, "http_status", 200) == status]
    structs = [kind for kind in types if isinstance(kind, type) and issubclass(kind, msgspec.Struct)]
    expected = structs[0] if structs else (ErrorBody if status >= 400 else None)
    if expected is not None:
        assert msgspec.json.encode(msgspec.json.decode(body, type=expected)) == body


def test_modelboxs_answers_have_their_types(server: Installation) -> None:
    for described, url in (
        ("/v1/modelbox/job/{job_id}", f"{server.base}/runs"),
        ("/v1/modelbox/job/{job_id}", f"{server.base}/failed"),
        ("/v1/modelbox/job/{job_id}", f"{server.base}/runs?view=full"),
        ("/v1/modelbox/job/list/all", f"{server.base}/list/all"),
    ):
        (one,) = [one for one in DESCRIBED if (one.method, one.path) == ("GET", described)]
        body = server.http.get(url).content
        kinds = one.answers[200][1]
        kind = kinds[url.endswith("?view=full")] if isinstance(kinds, tuple) else kinds
        assert msgspec.json.encode(msgspec.json.decode(body, type=kind)) == body
