"""Spec 7.6, row draw_bbox, and the record of 6.5."""

import struct

import numpy as np
import pytest

from server.flow.unitapi import Buffer
from tests.flow.units.images import image, message_of, metas_for, metas_of, noise
from tests.flow.units.support import run_unit

PIXELS = noise(40, 50) | 2
"""No pixel is (255, 0, 0)."""


def records(*boxes: tuple[float, float, float, float]) -> Buffer:
    return Buffer(None, b"".join(struct.pack("=4fif", *box, 7, 0.5) for box in boxes))


async def drawn(*boxes: tuple[float, float, float, float]) -> np.ndarray:
    """Where the image is painted; all else must be as it was."""
    (made,) = (await run_unit("draw_bbox", {}, [image(PIXELS)], second=[records(*boxes)])).seen
    painted = (np.asarray(made) == (255, 0, 0)).all(axis=2)
    assert np.array_equal(np.asarray(made)[~painted], PIXELS[~painted])
    return painted


def frame(left: int, top: int, right: int, bottom: int) -> np.ndarray:
    """Lines of five pixels, with these outermost pixels of the box in their middle."""
    rows, columns = np.mgrid[:40, :50]
    near = (rows >= top - 2) & (rows <= bottom + 2) & (columns >= left - 2) & (columns <= right + 2)
    inside = (rows > top + 2) & (rows < bottom - 2) & (columns > left + 2) & (columns < right - 2)
    made: np.ndarray = near & ~inside
    return made


async def test_7_6_draw_bbox_draws_a_rectangle_of_thickness_5_in_channel_0() -> None:
    painted = await drawn((10, 8, 25, 20))
    assert np.array_equal(painted, frame(10, 8, 34, 27))
    assert painted[:, 20].sum() == painted[15].sum() == 10


async def test_7_6_draw_bbox_draws_all_records() -> None:
    painted = await drawn((5, 5, 10, 10), (20, 12, 25, 20), (0, 0, 50, 40))
    assert np.array_equal(painted, frame(5, 5, 14, 14) | frame(20, 12, 44, 31) | frame(0, 0, 49, 39))


async def test_7_6_draw_bbox_fractions_of_pixels_are_cut_off() -> None:
    assert np.array_equal(await drawn((10.9, 8.2, 25.99, 20.5)), frame(10, 8, 34, 27))


@pytest.mark.parametrize(
    ("box", "corners"),
    [
        ((-5, -5, 20, 20), (-5, -5, 14, 14)),
        ((30, 30, 100, 100), (30, 30, 129, 129)),
        ((-1e30, 10, 3e38, 5), (-(2**30), 10, 2**30, 14)),
    ],
)
async def test_7_6_draw_bbox_what_is_outside_of_the_image_is_left_out(
    box: tuple[float, float, float, float], corners: tuple[int, int, int, int]
) -> None:
    assert np.array_equal(await drawn(box), frame(*corners))


@pytest.mark.parametrize(
    "box", [(100, 100, 5, 5), (-50, 3, 10, 10), (10, 10, 0, 5), (10, 10, 5, -3), (10, 10, 0.9, 5)]
)
async def test_7_6_draw_bbox_nothing_is_drawn_of_a_box_without_pixels_in_the_image(
    box: tuple[float, float, float, float],
) -> None:
    assert not (await drawn(box)).any()


async def test_7_6_draw_bbox_without_records_the_image_stays() -> None:
    """yolo_postprocess sends a zero-byte buffer when it found nothing (spec 6.5)."""
    (made,) = (await run_unit("draw_bbox", {}, [image(PIXELS)], second=[Buffer(None, b"")])).seen
    assert np.array_equal(np.asarray(made), PIXELS)


async def test_7_6_draw_bbox_keeps_metas_and_width_stride_is_in_pixels() -> None:
    given, seen = image(PIXELS, pix_fmt="bgr", index=5), PIXELS.copy()
    (made,) = (await run_unit("draw_bbox", {}, [given], second=[records((1, 1, 9, 9))])).seen
    assert metas_of(made) == {**metas_for(40, 50, "bgr"), "width_stride": 50, "index": 5}
    assert np.array_equal(np.asarray(given), seen), "the input is not drawn into"


@pytest.mark.parametrize("size", [16, 23, 25, 32])
async def test_7_6_draw_bbox_crop_s_region_is_no_record(size: int) -> None:
    """ModelBox's documents say RoiBox, four int32; its code reads the record of 24 bytes, and so does this."""
    good = records((1, 1, 9, 9))
    regions = [good, Buffer(None, bytes(size)), good]
    script = await run_unit("draw_bbox", {}, [image(PIXELS)] * 3, second=regions)
    assert [each.has_error() for each in script.seen] == [False, True, False]
    words = f"in_region has {size} bytes, it must be records of 24"
    assert message_of(script.seen[1], "draw_bbox").startswith(words)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
async def test_7_6_draw_bbox_a_box_without_finite_numbers_is_an_error(number: float) -> None:
    boxes = records((1, 1, 9, 9), (1, number, 9, 9))
    script = await run_unit("draw_bbox", {}, [image(PIXELS)], second=[boxes])
    words = f"in_region: box 1 is [1.0, {number}, 9.0, 9.0], its numbers must be finite"
    assert message_of(script.seen[0], "draw_bbox") == words
