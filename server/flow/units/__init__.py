"""The flow units that come with the engine: their descriptions. Their code is loaded when a flow opens."""

from server.flow.description import FlowType, UnitDescription

BUILTIN: tuple[UnitDescription, ...] = (
    UnitDescription(
        name="httpserver_sync_receive",
        description="Receives HTTP requests, which are answered by httpserver_sync_reply.",
        entry="server.flow.units.http_receive:HttpServerSyncReceive",
        outputs=("out_request_info",),
        flow_type=FlowType.NORMAL,
        default_batch_size=8,
        max_batch_size=0,
    ),
    UnitDescription(
        name="httpserver_sync_reply",
        description="Answers the HTTP request that its input descends from.",
        entry="server.flow.units.http_reply:HttpServerSyncReply",
        inputs=("in_reply_info",),
        flow_type=FlowType.STREAM,
        exception_visible=True,
    ),
)
