"""Spec 7.6, row packed_planar_transpose."""

import numpy as np
import pytest

from server.flow.unitapi import Buffer
from tests.flow.units.images import image, message_of, metas_for, metas_of, noise
from tests.flow.units.support import run_unit

UNIT = "packed_planar_transpose"
PIXELS = noise(4, 6)


@pytest.mark.parametrize("pix_fmt", ["rgb", "bgr"])
async def test_7_6_transpose_puts_channel_after_channel(pix_fmt: str) -> None:
    (made,) = (await run_unit(UNIT, {}, [image(PIXELS, pix_fmt=pix_fmt, mine="x")])).seen
    expected = {**metas_for(4, 6, pix_fmt), "layout": "chw", "shape": [3, 4, 6], "width_stride": 6, "mine": "x"}
    assert metas_of(made) == expected
    planes = np.frombuffer(made.as_bytes(), np.uint8).reshape(3, 4, 6)
    assert [plane.tolist() for plane in planes] == [PIXELS[:, :, channel].tolist() for channel in range(3)]


@pytest.mark.parametrize("missing", ["width", "height", "channel", "pix_fmt", "type", "layout"])
async def test_7_6_transpose_needs_all_metas(missing: str) -> None:
    """ModelBox fails the whole call (STATUS_BADCONF or STATUS_INVALID)."""
    script = await run_unit(UNIT, {}, [image(PIXELS), image(PIXELS, **{missing: None}), image(PIXELS)])
    assert [each.has_error() for each in script.seen] == [False, True, False]
    assert message_of(script.seen[1], UNIT).startswith(f"meta don't have key {missing}")


@pytest.mark.parametrize(
    ("metas", "words"),
    [
        ({"pix_fmt": "nv12"}, "meta pix_fmt is 'nv12', this unit takes rgb or bgr"),
        ({"channel": 1}, "meta channel is 1, this unit takes 3"),
        ({"layout": "chw"}, "meta layout is 'chw', this unit takes hwc"),
        ({"type": Buffer.FLOAT}, "meta type is FLOAT, this unit takes UINT8"),
        ({"height": 5}, "the image has 72 bytes, but 6 x 5 pixels of 3 channels are 90"),
    ],
)
async def test_7_6_transpose_takes_packed_images_of_bytes_only(metas: dict[str, object], words: str) -> None:
    script = await run_unit(UNIT, {}, [image(PIXELS, **metas)])
    assert message_of(script.seen[0], UNIT).startswith(words)
