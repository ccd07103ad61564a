"""What a flow allows its HTTP clients, and itself."""

import msgspec

from server.flow.secrets import AllowedSecrets


class FlowLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes in bytes, times in seconds. `request_seconds` is how long a client may pause within a request, and
    how long the head of one may take in all. `stall_seconds` is how long a node may make no progress while it
    has input before that is reported, 0 = never; the graph key `graph.stall-seconds` overrides it. `secrets`: what
    node attributes may refer to."""

    max_request_bytes: int = 64 * 1024 * 1024
    max_header_bytes: int = 64 * 1024
    request_seconds: float = 60.0
    stall_seconds: float = 60.0
    secrets: AllowedSecrets = AllowedSecrets()
