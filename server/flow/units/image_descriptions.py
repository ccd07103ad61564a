"""The image units that need no media library (spec 7.6), described."""

from typing import Any

from server.flow.description import FlowType, Option, UnitDescription


def _image_unit(name: str, entry: str, **more: Any) -> UnitDescription:
    return UnitDescription(
        name=name,
        entry=f"server.flow.units.{entry}",
        group="Image",
        flow_type=FlowType.NORMAL,
        default_batch_size=8,
        max_batch_size=0,
        **more,
    )


_IMAGE_OUT: dict[str, Any] = {"inputs": ("in_image",), "outputs": ("out_image",)}
_REGION_OUT: dict[str, Any] = {"inputs": ("in_image", "in_region"), "outputs": ("out_image",)}
_DATA_OUT: dict[str, Any] = {"inputs": ("in_data",), "outputs": ("out_data",)}

IMAGE_UNITS: tuple[UnitDescription, ...] = (
    _image_unit(
        "resize",
        "resize:Resize",
        description="Makes images of another size. Metas needed: width, height, pix_fmt (rgb, bgr).",
        **_IMAGE_OUT,
        options=(
            Option("width", "int", "", "The new width in pixels; required."),
            Option("height", "int", "", "The new height in pixels; required."),
            Option("image_width", "int", "", "Another name of width, which wins."),
            Option("image_height", "int", "", "Another name of height, which wins."),
            Option("interpolation", "string", "inter_linear", "inter_linear or inter_nearest; ModelBox has more."),
        ),
    ),
    _image_unit(
        "crop",
        "crop:Crop",
        description="Cuts a region out of each image: four int32, x, y, width, height, which lies inside. "
        "Metas needed: width, height, pix_fmt (rgb, bgr).",
        **_REGION_OUT,
    ),
    _image_unit(
        "padding",
        "padding:Padding",
        description="Puts images onto a larger background, scaled to fit. "
        "Metas needed: width, height, pix_fmt (rgb, bgr).",
        **_IMAGE_OUT,
        options=(
            Option("image_width", "int", "", "The width of what comes out, in pixels; required."),
            Option("image_height", "int", "", "The height of what comes out, in pixels; required."),
            Option("vertical_align", "string", "top", "Where the image is: top, center or bottom."),
            Option("horizontal_align", "string", "left", "Where the image is: left, center or right."),
            Option("padding_data", "string", "0,0,0", "The background: a value for each channel."),
            Option("need_scale", "bool", "true", "false: the image keeps its size; a larger one is an error."),
            Option("interpolation", "string", "inter_linear", "Checked and not used: scaling is linear."),
        ),
    ),
    _image_unit(
        "image_rotate",
        "image_rotate:ImageRotate",
        description="Turns images clockwise. Metas needed: width, height, layout (hwc), type (UINT8).",
        **_IMAGE_OUT,
        options=(
            Option(
                "rotate_angle", "int", "", "90, 180 or 270, or 0 for none; without it the meta rotate_angle says."
            ),
        ),
    ),
    _image_unit(
        "mean",
        "mean_normalize:Mean",
        description="Subtracts a number from each channel: the data's thirds, as packed_planar_transpose makes "
        "them. Metas needed: type (FLOAT, UINT8), shape; out comes FLOAT.",
        **_DATA_OUT,
        options=(Option("mean", "string", "", 'Three numbers, as in mean="104,117,123"; required.'),),
    ),
    _image_unit(
        "normalize",
        "mean_normalize:Normalize",
        description="Multiplies each channel: the data's thirds, as packed_planar_transpose makes them. "
        "Metas needed: type (FLOAT, UINT8), shape; out comes FLOAT.",
        **_DATA_OUT,
        options=(Option("standard_deviation_inverse", "string", "", "Three numbers, the factors; required."),),
    ),
    _image_unit(
        "packed_planar_transpose",
        "packed_planar_transpose:PackedPlanarTranspose",
        description="Puts the bytes of an image in order of channels: layout hwc to chw. "
        "Metas needed: width, height, channel, pix_fmt (rgb, bgr), layout, type (UINT8).",
        **_IMAGE_OUT,
    ),
    _image_unit(
        "draw_bbox",
        "draw_bbox:DrawBbox",
        description="Draws frames into each image: records of 24 bytes as yolo_postprocess sends them, four "
        "float32 x, y, width, height, an int32 and a float32. Metas needed: width, height, pix_fmt (rgb, bgr).",
        **_REGION_OUT,
    ),
)
