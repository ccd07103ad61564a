"""Spec 7.7, buff_meta_mapping."""

import pytest

from server.flow.status import StatusCode
from tests.flow.units.support import buffer, refusal_of, run_unit

NAMES = {"src_meta": "from", "dest_meta": "to"}


@pytest.mark.parametrize("value", ["a", 3, 2.5, True, [1, 2], None])
async def test_7_7_without_rules_the_meta_is_copied_as_it_is(value: object) -> None:
    script = await run_unit("buff_meta_mapping", NAMES, [buffer("data", **{"from": value})])
    (seen,) = script.seen
    assert (seen.get("to"), seen.get("from"), str(seen)) == (value, value, "data")
    assert type(seen.get("to")) is type(value)


@pytest.mark.parametrize(
    ("rules", "value", "mapped"),
    [
        ("a=b\x03c=d", "a", "b"),
        ("a=b\x03c=d", "c", "d"),
        ("a=b,c=d", "c", "d"),
        ("a=b", "x", "x"),
        ("1=2", 1, 2),
        ("1=2", 3, 3),
        ("1.5=2", 1.5, 2.0),
        ("true=false", True, False),
        ("1=0", True, False),
        ("0=1", 7, 7),
        ("a=", "a", ""),
        ("a=b", [1], [1]),
    ],
)
async def test_7_7_rules_replace_a_value_and_keep_its_type(rules: str, value: object, mapped: object) -> None:
    script = await run_unit("buff_meta_mapping", {**NAMES, "rules": rules}, [buffer("", **{"from": value})])
    found = script.seen[0].get("to")
    assert found == mapped
    assert type(found) is type(mapped)


async def test_7_7_a_buffer_without_the_meta_passes_unchanged() -> None:
    script = await run_unit("buff_meta_mapping", NAMES, [buffer("data", other=1)])
    assert "to" not in script.seen[0]._metas
    assert script.seen[0].get("other") == 1


async def test_7_7_a_replacement_that_is_no_value_of_the_type_is_an_error_of_the_buffer() -> None:
    sent = [buffer("x", **{"from": 1}), buffer("y", **{"from": 2})]
    script = await run_unit("buff_meta_mapping", {**NAMES, "rules": "1=one"}, sent)
    assert [each.has_error() for each in script.seen] == [True, False]
    assert "'one' is no int" in script.seen[0].get_error_msg()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dest_meta": "to"}, "src_meta is required"),
        ({"src_meta": "from"}, "dest_meta is required"),
        ({**NAMES, "rules": "a"}, "'a' is no rule"),
        ({**NAMES, "rules": "a=b\x03=c"}, "'=c' is no rule"),
        ({**NAMES, "rules": "a=b=c"}, "'a=b=c' is no rule"),
    ],
)
async def test_7_7_bad_options_are_refused(options: dict[str, str], words: str) -> None:
    error = await refusal_of("buff_meta_mapping", options)
    assert error.code is StatusCode.BADCONF
    assert words in error.messages[-1]
