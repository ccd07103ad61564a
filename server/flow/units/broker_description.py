"""output_broker (spec 7.7), described."""

from server.flow.description import FlowType, Option, UnitDescription

OUTPUT_BROKER = UnitDescription(
    name="output_broker",
    description="Sends each buffer to the webhooks that the session configuration's key config lists.",
    group="Output",
    entry="server.flow.units.output_broker:OutputBroker",
    inputs=("in_output_info",),
    flow_type=FlowType.STREAM,
    options=(
        Option("mode", "string", "sync", "sync: the flow waits until it is sent; async: it is queued and sent."),
        Option(
            "queue_size", "int", "100", "async: how many buffers a webhook's queue holds; the oldest is dropped."
        ),
        Option("retry_count_limit", "int", "0", "How many retries; below 0 without end. Then it is dropped."),
        Option("retry_interval_base_ms", "int", "1000", "Milliseconds before the first retry."),
        Option("retry_interval_increment_ms", "int", "1000", "How much longer each further wait is."),
        Option("retry_interval_limit_ms", "int", "60000", "The longest wait."),
    ),
)
