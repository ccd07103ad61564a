"""Spec 7.6, row resize."""

from collections.abc import Callable

import numpy as np
import pytest

from server.flow.status import StatusCode
from server.flow.units.images import Pixels
from server.flow.units.resampling import bilinear, nearest
from tests.flow.units.images import image, metas_for, metas_of, noise
from tests.flow.units.support import builtin, refusal_of, run_unit

SIZE = {"width": "3", "height": "2"}
RAMP = np.repeat(np.array([[0, 100, 200]], np.uint8)[..., None], 3, 2)
"""One row, three pixels."""
OPENCV = {
    5: ([1, 20, 63, 137, 237], [0, 7, 28, 112, 175]),
    10: ([0, 4, 12, 27, 51, 80, 115, 159, 210, 252], [0, 0, 7, 28, 28, 63, 112, 112, 175, 252]),
    14: (
        [0, 2, 5, 12, 23, 37, 54, 75, 100, 128, 159, 194, 233, 252],
        [0, 0, 7, 7, 28, 28, 63, 63, 112, 112, 175, 175, 252, 252],
    ),
}
"""What OpenCV 5.0.0 makes of `7 * n * n` for n below 7: INTER_LINEAR and INTER_NEAREST, by width."""


async def test_7_6_resize_makes_packed_images_and_copies_no_other_meta() -> None:
    script = await run_unit("resize", SIZE, [image(noise(5, 7), pix_fmt="bgr", mine=1)])
    assert metas_of(script.seen[0]) == metas_for(2, 3, "bgr")
    assert script.seen[0].get_bytes() == 18


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({"width": "3", "height": "2"}, (2, 3)),
        ({"image_width": "3", "image_height": "2"}, (2, 3)),
        ({"width": "3", "height": "2", "image_width": "9", "image_height": "9"}, (2, 3)),
        ({"image_width": "3", "height": "2"}, (2, 3)),
    ],
)
async def test_7_6_resize_the_first_pair_wins(options: dict[str, str], size: tuple[int, int]) -> None:
    script = await run_unit("resize", options, [image(noise(5, 7))])
    assert np.asarray(script.seen[0]).shape == (*size, 3)


@pytest.mark.parametrize(
    ("interpolation", "row"),
    [
        ({}, [0, 25, 75, 125, 175, 200]),
        ({"interpolation": "inter_linear"}, [0, 25, 75, 125, 175, 200]),
        ({"interpolation": "inter_nearest"}, [0, 0, 100, 100, 200, 200]),
    ],
)
async def test_7_6_resize_interpolation_is_linear_by_default(
    interpolation: dict[str, str], row: list[int]
) -> None:
    script = await run_unit("resize", {"width": "6", "height": "2", **interpolation}, [image(RAMP)])
    assert np.asarray(script.seen[0])[:, :, 0].tolist() == [row, row]
    assert builtin("resize").options[-1].default == "inter_linear"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"height": "2"}, "option width or image_width is required"),
        ({"image_width": "3"}, "option height or image_height is required"),
        ({"width": "0", "height": "2"}, "option width is '0', it must be a number of pixels above 0"),
        ({"width": "3", "image_height": "-2"}, "option image_height is '-2'"),
        ({"width": "3.5", "height": "2"}, "option width is '3.5'"),
        ({"width": "3000000000", "height": "2"}, "option width is '3000000000'"),
        ({**SIZE, "interpolation": "linear"}, "option interpolation is 'linear', it must be one of inter_linear,"),
    ],
)
async def test_7_6_resize_bad_options_are_refused(options: dict[str, str], words: str) -> None:
    error = await refusal_of("resize", options)
    assert error.code is StatusCode.BADCONF
    assert words in error.messages[-1]


@pytest.mark.parametrize(
    "name", ["inter_cubic", "inter_area", "inter_lanczos4", "inter_max", "warp_fill_outliers", "warp_inverse_map"]
)
async def test_7_6_resize_interpolations_of_opencv_are_refused_with_what_there_is(name: str) -> None:
    """ModelBox has OpenCV for them, this engine does not."""
    error = await refusal_of("resize", {**SIZE, "interpolation": name})
    assert error.code is StatusCode.BADCONF
    words = f"'{name}', which this engine does not have: use inter_linear or inter_nearest"
    assert words in error.messages[-1]


@pytest.mark.parametrize("size", [(1, 1), (3, 50), (7, 11), (20, 33), (40, 66), (9, 2)])
def test_linear_is_within_a_rounding_of_the_definition(size: tuple[int, int]) -> None:
    """Pixel by pixel: the centre of the new one, weighted between the old ones around it."""
    height, width = size
    old = noise(20, 33)
    expected = np.empty((height, width, 3))
    for row, column in np.ndindex(height, width):
        y = min(max((row + 0.5) * 20 / height - 0.5, 0), 19)
        x = min(max((column + 0.5) * 33 / width - 0.5, 0), 32)
        top, left = int(y), int(x)
        down, across = y - top, x - left
        rows = old[[top, min(top + 1, 19)]][:, [left, min(left + 1, 32)]].astype(float)
        expected[row, column] = (rows[0, 0] * (1 - across) + rows[0, 1] * across) * (1 - down) + (
            rows[1, 0] * (1 - across) + rows[1, 1] * across
        ) * down
    assert np.abs(bilinear(old, height, width) - expected).max() < 1


@pytest.mark.parametrize("resampled", [bilinear, nearest])
def test_the_same_size_is_the_same_image(resampled: Callable[[Pixels, int, int], Pixels]) -> None:
    old = noise(13, 17)
    assert np.array_equal(resampled(old, 13, 17), old)


@pytest.mark.parametrize("value", [0, 1, 127, 254, 255])
def test_an_even_area_stays_as_it_is(value: int) -> None:
    even = np.full((5, 6, 3), value, np.uint8)
    assert np.unique(bilinear(even, 11, 4)).tolist() == [value]


def test_numbers_that_opencv_gives() -> None:
    old = np.repeat((np.arange(7, dtype=np.uint8) ** 2 * 7)[None, :, None], 3, 2)
    assert {
        width: (bilinear(old, 1, width)[0, :, 0].tolist(), nearest(old, 1, width)[0, :, 0].tolist())
        for width in OPENCV
    } == OPENCV
