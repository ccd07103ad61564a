"""Spec 7.1: the metas of an image, as the units that take and make images read and set them."""

import numpy as np
import pytest

from server.flow.unitapi import Buffer
from tests.flow.units.images import image, message_of, metas_for, metas_of, noise
from tests.flow.units.support import run_unit

RED = np.full((4, 6, 3), (255, 0, 0), np.uint8)
WHOLE = np.array([0, 0, 6, 4], np.int32)
SAME = [
    ("resize", {"width": "6", "height": "4"}, []),
    ("padding", {"image_width": "6", "image_height": "4"}, []),
    ("crop", {}, [WHOLE]),
    ("draw_bbox", {}, [b""]),
]
"""Options, and second inputs, with which a unit makes an image of 6 x 4 of another."""


@pytest.mark.parametrize("pix_fmt", ["rgb", "bgr"])
@pytest.mark.parametrize(("unit", "options", "second"), SAME)
async def test_7_1_an_image_that_comes_out_has_all_metas(
    unit: str, options: dict[str, str], second: list[object], pix_fmt: str
) -> None:
    given = image(RED, pix_fmt=pix_fmt, height_stride=None, layout=None, type=None, shape=None)
    script = await run_unit(unit, options, [given], second=[Buffer(None, each) for each in second])
    (made,) = script.seen
    expected = metas_for(4, 6, pix_fmt)
    if unit == "draw_bbox":
        expected["width_stride"] = 6  # spec 7.6
    assert metas_of(made) == expected
    assert [type(made.get(key)) for key in ("width", "height", "channel", "layout")] == [int, int, int, str]
    assert np.array_equal(np.asarray(made), RED)


@pytest.mark.parametrize(("unit", "options", "second"), SAME)
@pytest.mark.parametrize("missing", ["width", "height"])
async def test_7_1_a_missing_size_is_named(
    unit: str, options: dict[str, str], second: list[object], missing: str
) -> None:
    script = await run_unit(
        unit, options, [image(RED, **{missing: None})], second=[Buffer(None, each) for each in second]
    )
    assert message_of(script.seen[0], unit).startswith(f"meta don't have key {missing}")


@pytest.mark.parametrize(("unit", "options", "second"), SAME)
async def test_7_1_channel_stands_for_a_missing_pix_fmt(
    unit: str, options: dict[str, str], second: list[object]
) -> None:
    given = [image(RED, pix_fmt=None), image(RED, pix_fmt=None, channel=None)]
    script = await run_unit(unit, options, given, second=[Buffer(None, each) for each in second] * 2)
    assert np.array_equal(np.asarray(script.seen[0]), RED)
    assert "pix_fmt" not in script.seen[0]._metas
    assert message_of(script.seen[1], unit).startswith("meta don't have key pix_fmt")


@pytest.mark.parametrize(
    ("metas", "words"),
    [
        ({"pix_fmt": "nv12"}, "meta pix_fmt is 'nv12', this unit takes rgb or bgr"),
        ({"pix_fmt": 3}, "meta pix_fmt is 3,"),
        ({"pix_fmt": None, "channel": 1}, "meta channel is 1, this unit takes 3"),
        ({"layout": "chw"}, "meta layout is 'chw', this unit takes hwc"),
        ({"type": Buffer.FLOAT}, "meta type is FLOAT, this unit takes UINT8"),
        ({"width": 5, "width_stride": None}, "the image has 72 bytes, but 5 x 4 pixels of 3 channels are 60"),
        ({"width": 0}, "meta width is 0, it must be a whole number above 0"),
        ({"height": -4}, "meta height is -4, it must be"),
        ({"height": "4"}, "meta height is '4', it must be"),
        ({"height": 4.0}, "meta height is 4.0, it must be"),
        ({"width": 2**40, "height": 2**40}, "the image has 72 bytes, but"),
    ],
)
async def test_7_1_what_is_no_such_image_is_an_error_of_its_own_and_of_no_other(
    metas: dict[str, object], words: str
) -> None:
    """ModelBox fails the whole call, so also the images of others that share the batch."""
    options = {"width": "6", "height": "4"}
    script = await run_unit("resize", options, [image(RED), image(RED, **metas), image(RED)])
    assert [each.has_error() for each in script.seen] == [False, True, False]
    assert message_of(script.seen[1], "resize").startswith(words)


@pytest.mark.parametrize("padded_rows", [4, 5])
async def test_7_1_rows_may_be_padded_to_width_stride(padded_rows: int) -> None:
    pixels = noise(4, 6)
    data = np.zeros((padded_rows, 32), np.uint8)
    data[:4, :18] = pixels.reshape(4, 18)
    sizes = {"width_stride": 32, "height_stride": padded_rows if padded_rows > 4 else None}
    given = image(data[:, :, None], width=6, height=4, channel=3, shape=[data.size], **sizes)
    script = await run_unit("crop", {}, [given], second=[Buffer(None, WHOLE)])
    assert metas_of(script.seen[0]) == metas_for(4, 6)
    assert np.array_equal(np.asarray(script.seen[0]), pixels)


async def test_7_1_a_width_stride_in_pixels_does_no_harm() -> None:
    """draw_bbox sets such a one."""
    boxes, region = Buffer(None, b""), Buffer(None, WHOLE)
    drawn = (await run_unit("draw_bbox", {}, [image(RED)], second=[boxes])).seen
    script = await run_unit("crop", {}, drawn, second=[region])
    assert np.array_equal(np.asarray(script.seen[0]), RED)


async def test_7_1_sizes_may_be_numbers_of_numpy() -> None:
    given = image(RED, width=np.int64(6), height=np.int32(4), channel=np.uint8(3), pix_fmt=None)
    script = await run_unit("resize", {"width": "6", "height": "4"}, [given])
    assert np.array_equal(np.asarray(script.seen[0]), RED)
