"""Options that several image units have (spec 7.6). What is wrong with one is a ValueError that names it."""

import math
from collections.abc import Sequence

from server.flow import values
from server.flow.unitapi import Configuration

LINEAR, NEAREST = "inter_linear", "inter_nearest"
INTERPOLATIONS = (
    LINEAR,
    NEAREST,
    "inter_cubic",
    "inter_area",
    "inter_lanczos4",
    "inter_max",
    "warp_fill_outliers",
    "warp_inverse_map",
)
_LARGEST = 3.4028234e38


def pixels(config: Configuration, *names: str) -> int:
    """A number of pixels. The first of `names` that is set counts."""
    for name in names:
        text = config.get_string(name)
        if not text:
            continue
        number = values.parse_int(text, (1, values.INT32[1]))
        if number is None:
            raise ValueError(f"option {name} is '{text:.60}', it must be a number of pixels above 0")
        return number
    raise ValueError(f"option {' or '.join(names)} is required: a number of pixels")


def three_numbers(config: Configuration, name: str) -> tuple[float, ...]:
    """One number for each channel. DOT splits the option at its commas (spec 2.1); other sources do not."""
    texts = [part.strip() for text in config.get_string_list(name) for part in text.split(",")]
    if not any(texts):
        raise ValueError(f'option {name} is required: three numbers, one for each channel, as in {name}="1,2,3"')
    numbers = [values.parse_float(text) for text in texts]
    found = tuple(number for number in numbers if number is not None and math.fabs(number) <= _LARGEST)
    if len(found) != len(texts) or len(found) != 3:
        raise ValueError(f"option {name} is '{', '.join(texts):.60}', it must be three numbers")
    return found


def choice(config: Configuration, name: str, allowed: Sequence[str]) -> str:
    """One of `allowed`, the first of which is the default."""
    text = config.get_string(name) or allowed[0]
    if text not in allowed:
        raise ValueError(f"option {name} is '{text:.60}', it must be one of {', '.join(allowed)}")
    return text
