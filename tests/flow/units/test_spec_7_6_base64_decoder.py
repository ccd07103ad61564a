"""Spec 7.6, row base64_decoder."""

import base64

import pytest

from server.flow.status import StatusCode
from tests.flow.units.support import buffer, refusal_of, run_unit

PNG = b"\x89PNG\r\n\0\xff"
TEXT = base64.b64encode(PNG).decode()


@pytest.mark.parametrize("data", [TEXT, TEXT.encode(), f" {TEXT[:4]}\r\n{TEXT[4:]}\n"])
async def test_7_6_raw_text_becomes_its_bytes_without_metas(data: str | bytes) -> None:
    script = await run_unit("base64_decoder", {}, [buffer(data, mine=1)])
    assert [each.as_bytes() for each in script.seen] == [PNG]
    assert script.seen[0]._metas == {}


async def test_7_6_json_takes_the_text_under_the_key() -> None:
    options = {"data_format": "json", "key": "image"}
    script = await run_unit("base64_decoder", options, [buffer(f'{{"x":1,"image":"{TEXT}"}}')])
    assert [each.as_bytes() for each in script.seen] == [PNG]


@pytest.mark.parametrize(
    ("options", "bad", "words"),
    [
        ({}, "", "empty"),
        ({}, "a", "no base64"),
        ({}, "ab$d", "no base64"),
        ({}, b"\xff\xfe\x00\x01", "no base64"),
        ({"data_format": "json", "key": "k"}, "{", "no JSON"),
        ({"data_format": "json", "key": "k"}, b'{"k":"\xff"}', "no JSON"),
        ({"data_format": "json", "key": "k"}, "[" * 20_000, "no JSON"),
        ({"data_format": "json", "key": "k"}, '{"j":"YQ=="}', "'k'"),
        ({"data_format": "json", "key": "k"}, '{"k":1}', "'k'"),
        ({"data_format": "json", "key": "k"}, '["k"]', "'k'"),
    ],
)
async def test_7_6_a_bad_item_is_an_error_of_its_own_and_of_no_other(
    options: dict[str, str], bad: str | bytes, words: str
) -> None:
    """ModelBox fails the whole call, so also the requests of others that share the batch."""
    good = buffer(f'{{"k":"{TEXT}"}}' if options else TEXT)
    script = await run_unit("base64_decoder", options, [good, buffer(bad), good])
    assert [each.has_error() for each in script.seen] == [False, True, False]
    assert script.seen[1].get_error_code() == "base64_decoder.ProcessError"
    assert words in script.seen[1].get_error_msg()


@pytest.mark.parametrize(
    ("options", "words"), [({"data_format": "xml"}, "data_format 'xml'"), ({"data_format": "json"}, "set key")]
)
async def test_7_6_bad_options_are_refused(options: dict[str, str], words: str) -> None:
    error = await refusal_of("base64_decoder", options)
    assert error.code is StatusCode.BADCONF
    assert words in error.messages[-1]
