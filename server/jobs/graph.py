"""A graph as clients send it."""

import msgspec

from server.jobs.ids import Digest, digest_of


class Graph(msgspec.Struct, frozen=True):
    """A graph as it was sent. `format` is "json" or "toml"; `plan` is its compiled form, None before the first
    engine has compiled it."""

    digest: Digest
    format: str
    source: str
    plan: str | None = None

    @classmethod
    def of(cls, graph_format: str, source: str) -> "Graph":
        return cls(digest_of(graph_format, source), graph_format, source)
