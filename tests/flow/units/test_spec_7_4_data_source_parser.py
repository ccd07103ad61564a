"""Spec 7.4, data_source_parser: the sources that need no account of a cloud."""

import json
import ssl
from typing import Any

import pytest
import trustme

from server.flow.run.node import NodeOwner
from server.flow.unitapi import (
    BufferList,
    Configuration,
    DataContext,
    Device,
    SessionContext,
    Status,
    UnitStatusCode,
)
from server.flow.units.data_source_parser import (
    RESPONSE_KEY,
    DataSourceParser,
    SourceContext,
    at_position,
    source_context,
)
from tests.flow.units.receiver import receiver
from tests.flow.units.support import Script, buffer, run_unit


async def parsed(kind: str, source: object, **options: str) -> Script:
    text = source if isinstance(source, str) else json.dumps(source)
    return await run_unit("data_source_parser", options, [buffer(text, source_type=kind)])


def address_of(script: Script) -> str:
    """The stream meta, and the one dummy byte that travels with it."""
    assert [each.as_bytes() for each in script.seen] == [b"\0"]
    address: str = script.metas[0]["source_url"]
    return address


@pytest.mark.parametrize(
    ("url_type", "stream_type", "limit"), [("file", "file", 10), ("stream", "stream", -1), ("other", "stream", -1)]
)
async def test_7_4_url_the_address_and_how_to_retry(url_type: str, stream_type: str, limit: int) -> None:
    script = await parsed("url", {"url": "rtsp://h/1", "url_type": url_type})
    assert address_of(script) == "rtsp://h/1"
    assert script.metas[0]["source_context"] == SourceContext("url", stream_type, True, 1000, limit)


async def test_7_4_restful_the_address_is_read_from_the_answer() -> None:
    with receiver() as web:
        web.answer = b'{"data":{"urls":["rtsp://a","rtsp://b"]}}'
        source = {
            "request_url": f"{web.url}/ask?z=0",
            "params": [{"param_key": "k 1", "param_value": "v&w"}, {"param_key": "n", "param_value": 2}],
            "headers": {"X-Token": "t"},
            "response_url_position": "data/urls/1",
        }
        script = await parsed("restful", source)
    assert address_of(script) == "rtsp://b"
    (got,) = web.got
    assert (got.method, got.path, got.headers["x-token"]) == ("GET", "/ask?z=0&k+1=v%26w&n=2", "t")
    assert script.privates[0][RESPONSE_KEY] == web.answer.decode()


async def test_7_4_restful_certificates_are_not_verified() -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("elsewhere").configure_cert(tls)
    with receiver(tls=tls) as web:
        web.answer = b'{"a":"rtsp://h"}'
        script = await parsed("restful", {"request_url": web.url, **RESTFUL})
    assert address_of(script) == "rtsp://h"


async def test_7_4_several_buffers_in_one_call_are_a_fault() -> None:
    unit = DataSourceParser()
    unit.open(Configuration({}))
    context = DataContext(SessionContext(), NodeOwner.__new__(NodeOwner), Device(), ("out_video_url",))
    context.begin({"in_data": BufferList([buffer("{}"), buffer("{}")])})
    status = unit.process(context)
    assert isinstance(status, Status)
    assert status.code() == UnitStatusCode.STATUS_FAULT


RESTFUL: dict[str, Any] = {"headers": {}, "response_url_position": "a"}


@pytest.mark.parametrize(
    ("answer", "status", "more"),
    [
        (b'{"b":"x"}', 200, {}),
        (b'{"a":1}', 200, {}),
        (b"no json", 200, {}),
        (b'{"a":"x"}', 500, {}),
        (b'{"a":"x"}', 200, {"params": ["k"]}),
        (b'{"a":"x"}', 200, {"headers": {"X": "a\r\nY: b"}}),
        (b'{"a":"x"}', 200, {"request_url": "ftp://h"}),
        (b'{"a":"x"}', 200, {"request_url": "http://127.0.0.1:1/"}),
    ],
)
async def test_7_4_restful_failures_leave_the_address_empty(
    answer: bytes, status: int, more: dict[str, Any]
) -> None:
    with receiver() as web:
        web.answer, web.statuses = answer, [status]
        script = await parsed("restful", {"request_url": web.url, **RESTFUL, **more})
    assert address_of(script) == ""


@pytest.mark.parametrize("source", ["{", "[]", "{}", {"url": ""}, {"url": 1}, "[" * 20_000])
async def test_7_4_a_description_that_cannot_be_parsed_leaves_the_address_empty(source: object) -> None:
    assert address_of(await parsed("url", source)) == ""


@pytest.mark.parametrize("kind", ["obs", "vcn", "vcn_restful", "vis", "", "nonsense"])
async def test_7_4_other_sources_are_errors_that_name_what_is_there(kind: str) -> None:
    script = await parsed(kind, {"url": "x"})
    assert script.seen[0].get_error_code() == "data_source_parser.ProcessError"
    assert "url and restful" in script.seen[0].get_error_msg()


async def test_7_4_a_buffer_without_the_meta_source_type_is_an_error() -> None:
    script = await run_unit("data_source_parser", {}, [buffer("{}")])
    assert script.seen[0].has_error()


@pytest.mark.parametrize(
    ("options", "kind", "stream", "enabled", "interval", "limit"),
    [
        ({}, "url", "file", True, 1000, 10),
        ({}, "restful", "stream", True, 1000, -1),
        (
            {"retry_enable": "false", "retry_interval_ms": "5", "retry_count_limit": "3"},
            "url",
            "file",
            False,
            5,
            3,
        ),
        ({"retry_count_limit": "3", "url_retry_count_limit": "4"}, "url", "file", True, 1000, 4),
        ({"url_retry_count_limit": "4", "url_file_retry_count_limit": "5"}, "url", "file", True, 1000, 5),
        ({"url_file_retry_count_limit": "5"}, "url", "stream", True, 1000, -1),
        ({"url_stream_retry_interval_ms": "7"}, "url", "stream", True, 7, -1),
        ({"restful_retry_enable": "false", "url_retry_enable": "true"}, "restful", "stream", False, 1000, -1),
        ({"restful_retry_count_limit": "x"}, "restful", "stream", True, 1000, -1),
    ],
)
def test_7_4_the_most_special_retry_option_counts(
    options: dict[str, str], kind: str, stream: str, enabled: bool, interval: int, limit: int
) -> None:
    found = source_context(Configuration(options), kind, stream)
    assert found == SourceContext(kind, stream, enabled, interval, limit)


@pytest.mark.parametrize(("position", "found"), [("a/b", "x"), ("/a/b/", "x"), ("l/0/c", "y")])
def test_7_4_positions_lead_through_objects_and_arrays(position: str, found: str) -> None:
    assert at_position(b'{"a":{"b":"x"},"l":[{"c":"y"}]}', position) == found
