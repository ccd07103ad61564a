"""The HTTP units (spec 7.3), described."""

from server.flow.description import FlowType, Option, UnitDescription

_RECEIVE = (
    Option(
        "endpoint",
        "string",
        "http://127.0.0.1:8080",
        "Where to listen: http://HOST:PORT/PATH or https://HOST:PORT/PATH. PATH is a prefix by whole segments.",
    ),
    Option("max_requests", "int", "1000", "How many requests may be in flight; more are answered 429."),
    Option("keepalive_timeout_sec", "int", "200", "How long an idle connection is kept, in seconds."),
    Option("cert", "string", "", "PEM file of the certificate chain, for https."),
    Option("key", "string", "", "PEM file of the certificate's key."),
    Option("passwd", "string", "", "The key file's password, if it has one."),
    Option("key_pass", "string", "", "Accepted and not needed: ModelBox decrypts passwd with it."),
)

HTTP_UNITS: tuple[UnitDescription, ...] = (
    UnitDescription(
        name="httpserver_sync_receive",
        description="Receives HTTP requests, which are answered by httpserver_sync_reply.",
        group="Input",
        entry="server.flow.units.http_receive:HttpServerSyncReceive",
        outputs=("out_request_info",),
        flow_type=FlowType.NORMAL,
        default_batch_size=8,
        max_batch_size=0,
        options=(
            *_RECEIVE,
            Option("time_out_ms", "int", "5000", "After how many milliseconds without a reply the answer is 408."),
            Option("time_out", "int", "", "Another name of time_out_ms, which wins."),
        ),
    ),
    UnitDescription(
        name="httpserver_sync_reply",
        description="Answers the HTTP request that its input descends from.",
        group="Output",
        entry="server.flow.units.http_reply:HttpServerSyncReply",
        inputs=("in_reply_info",),
        flow_type=FlowType.STREAM,
        exception_visible=True,
        options=(
            Option(
                "content_type",
                "string",
                "txt",
                "The reply's content type: htm, html, js, css, json, png, gif, jpeg, svg, tar, txt, ico, xml, "
                "mpeg or mp3. The buffer's metas status (int) and headers (dict) are heeded, too.",
            ),
        ),
    ),
    UnitDescription(
        name="httpserver_async",
        description="Receives HTTP requests and answers each with 202 at once.",
        group="Input",
        entry="server.flow.units.http_receive:HttpServerAsync",
        outputs=("out_request_info",),
        flow_type=FlowType.NORMAL,
        default_batch_size=8,
        max_batch_size=0,
        options=_RECEIVE,
    ),
)
