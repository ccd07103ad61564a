"""Spec 7.6, row padding."""

import numpy as np
import pytest

from server.flow.status import StatusCode
from server.flow.units.resampling import bilinear
from tests.flow.units.images import image, message_of, metas_for, metas_of, noise
from tests.flow.units.support import builtin, refusal_of, run_unit

SIZE = {"image_width": "12", "image_height": "8"}
UNSCALED = {**SIZE, "need_scale": "false"}
PIXELS = noise(4, 6) | 1
"""No value is 0, the background's."""


def place_of(padded: np.ndarray) -> tuple[int, int, int, int]:
    """Top, left, height and width of what is not background."""
    rows, columns = np.flatnonzero(padded.any(axis=(1, 2))), np.flatnonzero(padded.any(axis=(0, 2)))
    return int(rows[0]), int(columns[0]), int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1


async def test_7_6_padding_makes_packed_images_and_copies_no_other_meta() -> None:
    script = await run_unit("padding", SIZE, [image(PIXELS, pix_fmt="bgr", mine=1)])
    assert metas_of(script.seen[0]) == metas_for(8, 12, "bgr")


@pytest.mark.parametrize(
    ("height", "width", "scaled"),
    [(4, 6, (8, 12)), (16, 24, (8, 12)), (4, 4, (8, 8)), (4, 24, (2, 12)), (3, 7, (5, 12)), (1, 100, (1, 12))],
)
async def test_7_6_padding_scales_to_fit_and_keeps_proportions(
    height: int, width: int, scaled: tuple[int, int]
) -> None:
    pixels = noise(height, width) | 1
    (made,) = (await run_unit("padding", SIZE, [image(pixels)])).seen
    padded = np.asarray(made)
    assert place_of(padded) == (0, 0, *scaled)
    assert np.array_equal(padded[: scaled[0], : scaled[1]], bilinear(pixels, *scaled))


@pytest.mark.parametrize(("vertical", "top"), [({}, 0), ("top", 0), ("center", 2), ("bottom", 4)])
@pytest.mark.parametrize(("horizontal", "left"), [({}, 0), ("left", 0), ("center", 3), ("right", 6)])
async def test_7_6_padding_aligns(vertical: object, top: int, horizontal: object, left: int) -> None:
    options = {**UNSCALED}
    for name, value in (("vertical_align", vertical), ("horizontal_align", horizontal)):
        if isinstance(value, str):
            options[name] = value
    (made,) = (await run_unit("padding", options, [image(PIXELS)])).seen
    assert place_of(np.asarray(made)) == (top, left, 4, 6)
    assert np.array_equal(np.asarray(made)[top : top + 4, left : left + 6], PIXELS)


@pytest.mark.parametrize(
    ("given", "background"),
    [({}, [0, 0, 0]), ("1,2,3", [1, 2, 3]), ("1\x03 2\x03255 ", [1, 2, 255]), ("", [0, 0, 0])],
)
async def test_7_6_padding_data_is_the_background(given: object, background: list[int]) -> None:
    options = {**UNSCALED, "padding_data": given} if isinstance(given, str) else UNSCALED
    (made,) = (await run_unit("padding", options, [image(PIXELS)])).seen
    assert np.unique(np.asarray(made)[4:].reshape(-1, 3), axis=0).tolist() == [background]


@pytest.mark.parametrize(("height", "width"), [(9, 1), (1, 13), (100, 100)])
async def test_7_6_padding_without_scale_a_larger_input_is_an_error_of_its_own(height: int, width: int) -> None:
    """ModelBox fails the whole call (STATUS_INVALID)."""
    script = await run_unit("padding", UNSCALED, [image(PIXELS), image(noise(height, width)), image(PIXELS)])
    assert [each.has_error() for each in script.seen] == [False, True, False]
    words = f"the image is {width} x {height}, larger than 12 x 8, and need_scale is false"
    assert message_of(script.seen[1], "padding").startswith(words)


@pytest.mark.parametrize("name", ["inter_nearest", "inter_lanczos4"])
async def test_7_6_padding_interpolation_is_validated_and_not_used(name: str) -> None:
    (made,) = (await run_unit("padding", {**SIZE, "interpolation": name}, [image(PIXELS)])).seen
    assert np.array_equal(np.asarray(made), bilinear(PIXELS, 8, 12))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"image_height": "8"}, "option image_width is required"),
        ({"image_width": "8", "height": "8"}, "option image_height is required"),
        (
            {**SIZE, "vertical_align": "left"},
            "option vertical_align is 'left', it must be one of top, center, bottom",
        ),
        (
            {**SIZE, "horizontal_align": "top"},
            "option horizontal_align is 'top', it must be one of left, center, right",
        ),
        ({**SIZE, "interpolation": "cubic"}, "option interpolation is 'cubic', it must be one of"),
        ({**SIZE, "padding_data": "1,2"}, "option padding_data is '1, 2', it must be three numbers"),
        ({**SIZE, "padding_data": "1,2,x"}, "option padding_data is '1, 2, x', it must be three numbers"),
        ({**SIZE, "padding_data": "1,2,256"}, "option padding_data is '1, 2, 256', its values must be whole"),
        ({**SIZE, "padding_data": "1,2,0.5"}, "option padding_data is '1, 2, 0.5', its values must be whole"),
    ],
)
async def test_7_6_padding_bad_options_are_refused(options: dict[str, str], words: str) -> None:
    error = await refusal_of("padding", options)
    assert error.code is StatusCode.BADCONF
    assert words in error.messages[-1]


async def test_7_6_padding_defaults_are_those_of_the_description() -> None:
    described = {option.name: option.default for option in builtin("padding").options if option.default}
    plain = (await run_unit("padding", SIZE, [image(noise(7, 3))])).seen
    explicit = (await run_unit("padding", {**SIZE, **described}, [image(noise(7, 3))])).seen
    assert plain[0].as_bytes() == explicit[0].as_bytes()
    assert set(described) == {"vertical_align", "horizontal_align", "padding_data", "need_scale", "interpolation"}
