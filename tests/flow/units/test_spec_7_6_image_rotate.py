"""Spec 7.6, row image_rotate."""

import numpy as np
import pytest

from server.flow.status import StatusCode
from tests.flow.units.images import image, message_of, metas_for, metas_of, noise
from tests.flow.units.support import refusal_of, run_unit

PIXELS = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
A, B, C, D, E, F = PIXELS.reshape(6, 3).tolist()
TURNED = {90: [[D, A], [E, B], [F, C]], 180: [[F, E, D], [C, B, A]], 270: [[C, F], [B, E], [A, D]]}


@pytest.mark.parametrize("angle", TURNED)
async def test_7_6_image_rotate_turns_clockwise_by_the_option_or_else_the_meta(angle: int) -> None:
    by_option = await run_unit("image_rotate", {"rotate_angle": str(angle)}, [image(PIXELS, rotate_angle=45)])
    by_meta = await run_unit("image_rotate", {}, [image(PIXELS, rotate_angle=angle)])
    for script in (by_option, by_meta):
        (made,) = script.seen
        data = np.frombuffer(made.as_bytes(), np.uint8).reshape(made.get("height"), made.get("width"), 3)
        assert data.tolist() == TURNED[angle]


@pytest.mark.parametrize(("angle", "size"), [(90, (3, 2)), (180, (2, 3)), (270, (3, 2))])
async def test_7_6_image_rotate_copies_metas_and_swaps_sizes(angle: int, size: tuple[int, int]) -> None:
    """ModelBox leaves `shape` as it was: then np.array(buffer) has the old height and width, and the pixels of the
    new. Here it is that of the turned image."""
    given = image(PIXELS, rotate_angle=angle, pix_fmt="bgr", mine="x")
    (made,) = (await run_unit("image_rotate", {}, [given])).seen
    assert metas_of(made) == {**metas_for(*size, "bgr"), "rotate_angle": 0, "mine": "x"}
    assert np.asarray(made).tolist() == TURNED[angle]


@pytest.mark.parametrize("options", [{}, {"rotate_angle": "0"}])
async def test_7_6_image_rotate_by_0_passes_the_buffer_through(options: dict[str, str]) -> None:
    given = image(PIXELS, rotate_angle=0, layout="chw", width=None)
    (made,) = (await run_unit("image_rotate", options, [given])).seen
    assert metas_of(made) == metas_of(given)
    assert made.as_bytes() == given.as_bytes()


async def test_7_6_image_rotate_a_missing_angle_is_an_error_of_its_own() -> None:
    """ModelBox fails the whole call (STATUS_FAULT)."""
    given = [image(PIXELS, rotate_angle=90), image(PIXELS), image(PIXELS, rotate_angle=90)]
    script = await run_unit("image_rotate", {}, given)
    assert [each.has_error() for each in script.seen] == [False, True, False]
    assert message_of(script.seen[1], "image_rotate").startswith("there is no angle: set option rotate_angle")


@pytest.mark.parametrize("angle", [45, -90, 360, "90"])
async def test_7_6_image_rotate_a_meta_that_is_no_quarter_turn_is_an_error(angle: object) -> None:
    script = await run_unit("image_rotate", {}, [image(PIXELS, rotate_angle=angle)])
    words = f"meta rotate_angle is {angle!r}, this unit takes 0 or 90 or 180 or 270"
    assert message_of(script.seen[0], "image_rotate") == words


@pytest.mark.parametrize("angle", ["45", "-90", "right"])
async def test_7_6_image_rotate_another_option_is_refused(angle: str) -> None:
    error = await refusal_of("image_rotate", {"rotate_angle": angle})
    assert error.code is StatusCode.BADCONF
    assert f"option rotate_angle is '{angle}', it must be one of 0, 90, 180, 270" in error.messages[-1]


@pytest.mark.parametrize(
    ("metas", "words"),
    [
        ({"type": None}, "meta don't have key type"),
        ({"type": 1}, "meta type is 1, this unit takes UINT8"),
        ({"layout": None}, "meta don't have key layout"),
        ({"layout": "chw"}, "meta layout is 'chw', this unit takes hwc"),
        ({"width": None}, "meta don't have key width"),
        ({"height": None}, "meta don't have key height"),
        ({"channel": 1, "width_stride": None}, "the image has 18 bytes, but 3 x 2 pixels of 1 channels are 6"),
    ],
)
async def test_7_6_image_rotate_says_which_meta_it_needs(metas: dict[str, object], words: str) -> None:
    script = await run_unit("image_rotate", {"rotate_angle": "90"}, [image(PIXELS, **metas)])
    assert message_of(script.seen[0], "image_rotate").startswith(words)


@pytest.mark.parametrize(
    ("channels", "metas"),
    [(1, {"pix_fmt": "gray"}), (1, {"pix_fmt": "gray", "channel": None}), (4, {"pix_fmt": None})],
)
async def test_7_6_image_rotate_has_as_many_channels_as_the_image(channels: int, metas: dict[str, object]) -> None:
    pixels = noise(3, 5, channels)
    (made,) = (await run_unit("image_rotate", {"rotate_angle": "90"}, [image(pixels, **metas)])).seen
    assert np.array_equal(np.asarray(made), pixels[::-1].transpose(1, 0, 2))
