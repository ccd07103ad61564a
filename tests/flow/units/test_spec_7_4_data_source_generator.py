"""Spec 7.4, data_source_generator."""

import json

import pytest

from server.flow.status import StatusCode
from server.flow.units.data_source_generator import NOT_DATA
from tests.flow.units.support import refusal_of, run_unit


async def test_7_4_the_attributes_are_sent_once_as_json() -> None:
    options = {"source_type": "url", "url": 'a"b\\c', "url_type": "file", "list": "x\x03y"}
    script = await run_unit("data_source_generator", options)
    (seen,) = script.seen
    assert json.loads(str(seen)) == {"url": 'a"b\\c', "url_type": "file", "list": "x,y"}
    assert seen.get("source_type") == "url"


async def test_7_4_the_attributes_of_every_node_are_left_out() -> None:
    options = dict.fromkeys(NOT_DATA, "1") | {"url": "u"}
    script = await run_unit("data_source_generator", options)
    assert json.loads(str(script.seen[0])) == {"url": "u"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"url": "u"}, "source_type is required"),
        ({"source_type": "url", "label": "x"}, "no attribute that is data"),
    ],
)
async def test_7_4_bad_options_are_refused(options: dict[str, str], words: str) -> None:
    error = await refusal_of("data_source_generator", options)
    assert error.code is StatusCode.BADCONF
    assert words in error.messages[-1]
