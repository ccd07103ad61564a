"""What is asked of the process that examines a graph, and what it answers."""

import msgspec

from server.flow.examine.verdict import Verdict


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """A graph's text. With `plan`, which it was compiled to, nothing is examined."""

    source: str
    format: str
    plan: str | None = None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    verdict: Verdict
