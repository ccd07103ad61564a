"""Spec 7.6, rows mean and normalize."""

import numpy as np
import pytest

from server.flow.status import StatusCode
from server.flow.unitapi import Buffer
from tests.flow.units.images import image, message_of, metas_of, noise
from tests.flow.units.support import buffer, refusal_of, run_unit

OPTION = {"mean": "mean", "normalize": "standard_deviation_inverse"}
BOTH = pytest.mark.parametrize("unit", OPTION)
PLANES = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)
EXPECTED = {
    "mean": [[-0.5, 0.5, 1.5, 2.5], [2, 3, 4, 5], [108, 109, 110, 111]],
    "normalize": [[0, 0.5, 1, 1.5], [8, 10, 12, 14], [-800, -900, -1000, -1100]],
}
NUMBERS = {"mean": "0.5,2,-100", "normalize": "0.5,2,-100"}


@BOTH
@pytest.mark.parametrize("data", [PLANES, PLANES.astype(np.float32)])
async def test_7_6_each_third_gets_its_number_and_becomes_float32(unit: str, data: np.ndarray) -> None:
    given = Buffer(None, data)
    given.set("mine", "x")
    (made,) = (await run_unit(unit, {OPTION[unit]: NUMBERS[unit]}, [given])).seen
    assert metas_of(made) == {"shape": [3, 2, 2], "type": Buffer.FLOAT, "mine": "x"}
    assert np.asarray(made).dtype == np.float32
    assert np.asarray(made).reshape(3, 4).tolist() == EXPECTED[unit]


@BOTH
async def test_7_6_what_comes_in_stays_as_it_is(unit: str) -> None:
    data = PLANES.astype(np.float32)
    await run_unit(unit, {OPTION[unit]: "5,5,5"}, [Buffer(None, data)])
    assert np.array_equal(data, PLANES)


@BOTH
async def test_7_6_thirds_of_the_data_count_whatever_layout_says(unit: str) -> None:
    """As in ModelBox: a packed image must go through packed_planar_transpose first."""
    given = image(PLANES.reshape(2, 2, 3))
    (made,) = (await run_unit(unit, {OPTION[unit]: NUMBERS[unit]}, [given])).seen
    assert made.as_object().reshape(3, 4).tolist() == EXPECTED[unit]  # type: ignore[union-attr]
    assert metas_of(made) == {**metas_of(given), "type": Buffer.FLOAT}


@BOTH
@pytest.mark.parametrize("written", ["1\x032\x033", " 1, 2 ,3", "1\x03 2\x03 3"])
async def test_7_6_numbers_may_be_written_as_dot_and_others_pass_them(unit: str, written: str) -> None:
    (made,) = (await run_unit(unit, {OPTION[unit]: written}, [Buffer(None, np.ones(3, np.float32))])).seen
    assert made.as_object().tolist() == ([0, -1, -2] if unit == "mean" else [1, 2, 3])  # type: ignore[union-attr]


@BOTH
@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "is required: three numbers, one for each channel"),
        ("", "is required"),
        ("1,2", "is '1, 2', it must be three numbers"),
        ("1,2,3,4", "is '1, 2, 3, 4', it must be three numbers"),
        ("1,x,3", "is '1, x, 3', it must be three numbers"),
        ("1,,3", "is '1, , 3', it must be three numbers"),
        ("1,inf,3", "is '1, inf, 3', it must be three numbers"),
        ("1,nan,3", "is '1, nan, 3', it must be three numbers"),
        ("1,1e39,3", "is '1, 1e39, 3', it must be three numbers"),
    ],
)
async def test_7_6_three_numbers_are_required(unit: str, given: object, words: str) -> None:
    error = await refusal_of(unit, {OPTION[unit]: given} if isinstance(given, str) else {})
    assert error.code is StatusCode.BADCONF
    assert f"option {OPTION[unit]} {words}" in error.messages[-1]


@BOTH
@pytest.mark.parametrize(
    ("metas", "words"),
    [
        ({"type": Buffer.DOUBLE}, "meta type is DOUBLE, this unit takes FLOAT or UINT8"),
        ({"type": 99}, "meta type is 99, this unit takes FLOAT or UINT8"),
        ({"type": "UINT8"}, "meta type is UINT8, this unit takes"),
        ({"type": Buffer.FLOAT}, "meta shape is [12], but the data has 3 elements of FLOAT"),
        ({"shape": [2, 5]}, "meta shape is [2, 5], but the data has 12 elements of UINT8"),
        ({"shape": [-3, -4]}, "meta shape is [-3, -4], but"),
        ({"shape": 12}, "meta shape is 12, it must be a list of whole numbers"),
        ({"shape": [[3], [4]]}, "meta shape is [[3], [4]], it must be a list of whole numbers"),
    ],
)
async def test_7_6_another_type_or_shape_is_an_error_of_its_own(
    unit: str, metas: dict[str, object], words: str
) -> None:
    """ModelBox fails the whole call (STATUS_FAULT), and does not check the shape."""
    good, bad = Buffer(None, PLANES), buffer(bytes(12), **metas)
    script = await run_unit(unit, {OPTION[unit]: "1,1,1"}, [good, bad, good])
    assert [each.has_error() for each in script.seen] == [False, True, False]
    assert message_of(script.seen[1], unit).startswith(words)


@BOTH
@pytest.mark.parametrize("missing", ["type", "shape"])
async def test_7_6_a_missing_meta_is_named(unit: str, missing: str) -> None:
    given = Buffer(None, PLANES)
    del given._metas[missing]
    script = await run_unit(unit, {OPTION[unit]: "1,1,1"}, [given])
    assert message_of(script.seen[0], unit).startswith(f"meta don't have key {missing}")


@BOTH
@pytest.mark.parametrize(
    ("data", "metas", "words"),
    [
        (bytes(10), {}, "the data has 10 elements, which is no equal number for each of three channels"),
        (bytes(10), {"type": Buffer.FLOAT}, "the buffer has 10 bytes, its type says elements of 4"),
    ],
)
async def test_7_6_data_without_equal_thirds_is_an_error(
    unit: str, data: bytes, metas: dict[str, object], words: str
) -> None:
    script = await run_unit(unit, {OPTION[unit]: "1,1,1"}, [buffer(data, **metas)])
    assert message_of(script.seen[0], unit).startswith(words)


@BOTH
async def test_7_6_numbers_beyond_float32_are_infinite_not_an_error(unit: str) -> None:
    data = np.full(3, 3e38, np.float32)
    (made,) = (await run_unit(unit, {OPTION[unit]: "-3e38,-3e38,-3e38"}, [Buffer(None, data)])).seen
    assert np.isinf(made.as_object()).all()


@BOTH
async def test_7_6_an_image_of_a_camera_s_size(unit: str) -> None:
    planes = noise(480, 640).transpose(2, 0, 1)
    (made,) = (await run_unit(unit, {OPTION[unit]: "104,117,123"}, [Buffer(None, planes)])).seen
    numbers = np.array([104, 117, 123], np.float32)[:, None, None]
    wanted = planes - numbers if unit == "mean" else planes * numbers
    assert np.array_equal(np.asarray(made), wanted)
