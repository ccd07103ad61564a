"""Spec 7.2: the rows of the catalogue that are there. The others (image_decoder, video_demuxer, video_decoder,
video_encoder) need media libraries."""

import pytest

from server.flow.description import FlowType
from server.flow.units import BUILTIN
from tests.flow.units.support import builtin

NORMAL, STREAM = FlowType.NORMAL, FlowType.STREAM
ROWS = {
    "httpserver_sync_receive": ((), ("out_request_info",), NORMAL, "Input"),
    "httpserver_sync_reply": (("in_reply_info",), (), STREAM, "Output"),
    "httpserver_async": ((), ("out_request_info",), NORMAL, "Input"),
    "data_source_generator": ((), ("out_data",), NORMAL, "Input"),
    "data_source_parser": (("in_data",), ("out_video_url",), STREAM, "Input"),
    "video_input": ((), ("out_video_url",), NORMAL, "Video"),
    "resize": (("in_image",), ("out_image",), NORMAL, "Image"),
    "crop": (("in_image", "in_region"), ("out_image",), NORMAL, "Image"),
    "padding": (("in_image",), ("out_image",), NORMAL, "Image"),
    "image_rotate": (("in_image",), ("out_image",), NORMAL, "Image"),
    "mean": (("in_data",), ("out_data",), NORMAL, "Image"),
    "normalize": (("in_data",), ("out_data",), NORMAL, "Image"),
    "packed_planar_transpose": (("in_image",), ("out_image",), NORMAL, "Image"),
    "draw_bbox": (("in_image", "in_region"), ("out_image",), NORMAL, "Image"),
    "base64_decoder": (("in_data",), ("out_data",), NORMAL, "Image"),
    "buff_meta_mapping": (("in_data",), ("out_data",), STREAM, "Image"),
    "output_broker": (("in_output_info",), (), STREAM, "Output"),
}


@pytest.mark.parametrize("name", ROWS)
def test_7_2_ports_type_and_group(name: str) -> None:
    unit = builtin(name)
    assert (unit.inputs, unit.outputs, unit.flow_type, unit.group) == ROWS[name]


@pytest.mark.parametrize("unit", BUILTIN, ids=lambda unit: unit.name)
def test_7_2_none_is_expand_collapse_or_condition_and_all_are_for_the_cpu(unit: object) -> None:
    described = next(each for each in BUILTIN if each is unit)
    assert (described.output_type, described.condition, described.device) == ("origin", "none", "cpu")


@pytest.mark.parametrize("name", [unit.name for unit in BUILTIN])
def test_7_2_only_the_reply_sees_errors(name: str) -> None:
    """In ModelBox none does, so an error is no answer."""
    assert builtin(name).exception_visible == (name == "httpserver_sync_reply")
