"""The order and the wording of create errors (spec: rest-api, "Create")."""

import json

import pytest

from server.api.create_request import parse_create
from server.jobs.errors import JobError
from server.jobs.limits import Limits
from server.jobs.options import JobOptions, Restart, RestartPolicy

GRAPH = {"graph": {"format": "graphviz", "graphconf": "digraph {}"}}


def refusal(body: bytes | dict[str, object]) -> tuple[str, str]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(JobError) as caught:
        parse_create(raw)
    return caught.value.code[-3:], str(caught.value)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"{} x", b"// c\n{}", b'{"job_id": "\xff"}', b"[" * 100_000, b'{"a":' * 50_000, b"\0"],
    ids=["empty", "truncated", "trailing", "comment", "utf-8", "deep list", "deep object", "nul"],
)
def test_006_for_what_is_no_json(body: bytes) -> None:
    code, text = refusal(body)
    assert code == "006"
    assert text.startswith("request invalid, invalid command, ")


@pytest.mark.parametrize("body", [b"[]", b"1", b"null", b'"x"', b"{}", b'{"job_graph": {}}'])
def test_003_without_a_job_id(body: bytes) -> None:
    assert refusal(body) == ("003", "request invalid, can not get jobId")


@pytest.mark.parametrize(
    "fields",
    [
        {"job_id": 1},
        {"job_id": None},
        {"job_id": ["a"], "job_graph": GRAPH},
        {"job_id": "ab", "job_graph_format": 1},
        {"job_id": "ab", "job_graph": None},
        {"job_id": "ab", "job_graph": {}},
        {"job_id": "ab", "job_graph": 5},
        {"job_id": "ab", "job_graph": [GRAPH]},
        {"job_id": "ab", "job_graph": GRAPH, "job_graph_format": "toml"},
    ],
    ids=str,
)
def test_001_for_a_wrong_type(fields: dict[str, object]) -> None:
    code, text = refusal(fields)
    assert code == "001"
    assert text.startswith("server internal error, ")


def test_004_without_a_graph() -> None:
    assert refusal({"job_id": "ab"}) == ("004", "request invalid, can not get graph")


@pytest.mark.parametrize("job_id", ["", "a", ".ab", "a" * 65, "a b", "ü-"])
def test_007_for_a_bad_id(job_id: str) -> None:
    code, text = refusal({"job_id": job_id, "job_graph": GRAPH, "job_graph_format": "yaml"})
    assert code == "007"
    assert text == (
        "job id contain invalid characters or contains more than 64 characters, "
        "please rename job with valid charaters."
    )


@pytest.mark.parametrize("graph_format", ["yaml", "JSON", "Toml", ""])
def test_006_for_an_unknown_format(graph_format: str) -> None:
    body = {"job_id": "ab", "job_graph": GRAPH, "job_graph_format": graph_format}
    assert refusal(body) == (
        "006",
        f"request invalid, invalid command, Unsupport graph format: {graph_format}",
    )


def test_a_byte_order_mark_unknown_fields_and_duplicates_are_accepted() -> None:
    body = b'\xef\xbb\xbf{"job_id": "first", "more": 1, "job_id": "last", "job_graph": {"a": "b"}}'
    command = parse_create(body)
    assert command.job_id == "last"
    assert (command.graph.format, command.graph.source) == ("json", '{"a":"b"}')


@pytest.mark.parametrize("graph_format", [None, "toml"])
def test_a_string_is_toml(graph_format: str | None) -> None:
    body = {
        "job_id": "ab",
        "job_graph": "[graph]\n",
        **({"job_graph_format": graph_format} if graph_format else {}),
    }
    command = parse_create(json.dumps(body).encode())
    assert (command.graph.format, command.graph.source) == ("toml", "[graph]\n")


def test_options_have_the_servers_values_where_they_are_silent() -> None:
    body = {"job_id": "ab", "job_graph": GRAPH, "options": {"restart": {"policy": "always", "delay": 2}}}
    command = parse_create(json.dumps(body).encode(), RestartPolicy(attempts=7))
    expected = RestartPolicy(policy=Restart.ALWAYS, delay=2.0, attempts=7)
    assert command.options == JobOptions(restart=expected)


def test_limits_have_the_servers_values_where_they_are_silent() -> None:
    body = {"job_id": "ab", "job_graph": GRAPH, "options": {"limits": {"cpu": 2, "open_files": 0}}}
    command = parse_create(json.dumps(body).encode(), limits=Limits(nice=5, open_files=100))
    assert command.options == JobOptions(limits=Limits(cpu=2.0, nice=5))


@pytest.mark.parametrize(
    ("options", "where"),
    [
        (5, "options: expected object"),
        ({"restart": 5}, "options.restart: expected object"),
        ({"restart": {"policy": "sometimes"}}, "options.restart.policy: invalid enum value"),
        ({"restart": {"delay": "long"}}, "options.restart.delay: expected float"),
        ({"restart": {"attempts": -1}}, "options.restart.attempts: expected int >= 0"),
        ({"restart": {"atempts": 1}}, "options.restart: object contains unknown field atempts"),
        ({"limits": {"memory": "1G"}}, "options.limits.memory: expected int"),
        ({"limits": {"memory": 1000}}, "options.limits: memory must be at least 16777216, or 0 for no limit"),
        ({"limits": {"cpu": 0.001}}, "options.limits: cpu must be at least 0.01"),
        ({"limits": {"open_files": 3}}, "options.limits: open_files must be at least 64"),
        ({"limits": {"threads": 1}}, "options.limits: threads must be at least 8"),
        ({"limits": {"nice": -1}}, "options.limits.nice: expected int >= 0"),
        ({"limits": {"cpus": 1}}, "options.limits: object contains unknown field cpus"),
        ({"restrat": {}}, "options: object contains unknown field restrat"),
    ],
)
def test_006_for_options_that_make_no_sense(options: object, where: str) -> None:
    code, text = refusal({"job_id": "ab", "job_graph": GRAPH, "options": options})
    assert code == "006"
    assert where in text
