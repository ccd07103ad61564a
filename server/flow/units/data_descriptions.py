"""The units that handle data without a media library (spec 7.4, 7.6, 7.7), described."""

from server.flow.description import FlowType, Option, UnitDescription

_RETRIES = (
    ("", "of any source"),
    ("url_", "of url sources"),
    ("url_file_", "of url sources with url_type file"),
    ("url_stream_", "of other url sources"),
    ("restful_", "of restful sources"),
)


def _retry_options() -> tuple[Option, ...]:
    options = []
    for prefix, whose in _RETRIES:
        limit = {"url_file_": "10", "url_stream_": "-1"}.get(prefix, "")
        interval = "1000" if not prefix else ""
        if prefix not in ("url_file_", "url_stream_"):
            enabled = "" if prefix else "true"
            options.append(Option(f"{prefix}retry_enable", "bool", enabled, f"Whether to retry, {whose}."))
        options.append(
            Option(f"{prefix}retry_interval_ms", "int", interval, f"Milliseconds between retries, {whose}.")
        )
        options.append(
            Option(f"{prefix}retry_count_limit", "int", limit, f"How many retries, -1 without end, {whose}.")
        )
    return tuple(options)


DATA_UNITS: tuple[UnitDescription, ...] = (
    UnitDescription(
        name="base64_decoder",
        description="Decodes base64 text. What is none becomes an error buffer.",
        group="Image",
        entry="server.flow.units.base64_decoder:Base64Decoder",
        inputs=("in_data",),
        outputs=("out_data",),
        flow_type=FlowType.NORMAL,
        default_batch_size=8,
        max_batch_size=0,
        options=(
            Option(
                "data_format", "string", "raw", "raw: the buffer is the text; json: it is in an object's member."
            ),
            Option("key", "string", "", "The member that holds the text; required with json."),
        ),
    ),
    UnitDescription(
        name="buff_meta_mapping",
        description="Copies a meta of each buffer to another name, by a table of values.",
        group="Image",
        entry="server.flow.units.buff_meta_mapping:BuffMetaMapping",
        inputs=("in_data",),
        outputs=("out_data",),
        flow_type=FlowType.STREAM,
        options=(
            Option("src_meta", "string", "", "The meta to copy; required. Buffers without it pass unchanged."),
            Option("dest_meta", "string", "", "The name of the copy; required."),
            Option(
                "rules", "string", "", "found=replacement,...: values to replace. Others are copied as they are."
            ),
        ),
    ),
    UnitDescription(
        name="data_source_generator",
        description="Sends one buffer at start: the node's other attributes as a JSON object of strings.",
        group="Input",
        entry="server.flow.units.data_source_generator:DataSourceGenerator",
        outputs=("out_data",),
        flow_type=FlowType.NORMAL,
        default_batch_size=8,
        max_batch_size=0,
        options=(Option("source_type", "string", "", "The buffer's meta source_type; required."),),
    ),
    UnitDescription(
        name="data_source_parser",
        description="Finds the address that a source description stands for; source types url and restful.",
        group="Input",
        entry="server.flow.units.data_source_parser:DataSourceParser",
        inputs=("in_data",),
        outputs=("out_video_url",),
        flow_type=FlowType.STREAM,
        options=_retry_options(),
    ),
    UnitDescription(
        name="video_input",
        description="Begins sessions whose stream meta source_url is an address, for the units that open it.",
        group="Video",
        entry="server.flow.units.video_input:VideoInput",
        outputs=("out_video_url",),
        flow_type=FlowType.NORMAL,
        default_batch_size=8,
        max_batch_size=0,
        options=(
            Option("source_url", "string", "", "The address; required."),
            Option("repeat", "int", "1", "How many sessions begin."),
        ),
    ),
)
