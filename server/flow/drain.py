"""The end of a flow that is told to stop: what its sources began is brought to an end first."""

import asyncio
from collections.abc import Iterable
from time import monotonic

from server.flow.run.node import Node
from server.flow.run.scheduler import Scheduler
from server.flow.run.source import SourceNode

HOLD_SECONDS = 1.0
"""How long a drain in which nothing happens waits for the events of units that keep their streams open."""


async def drain(nodes: Iterable[Node], scheduler: Scheduler, deadline: float) -> None:
    """Waits until the sessions of all sources have ended, or until `deadline` (of `monotonic`). Units that keep
    streams open for an event of theirs get it for a while; then these streams end."""
    nodes = tuple(nodes)
    sources = [node for node in nodes if isinstance(node, SourceNode)]
    calls, quiet_since = -1, monotonic()
    while not all(source.is_drained for source in sources) and (now := monotonic()) < deadline:
        made = sum(node.calls for node in nodes)
        if made != calls or scheduler.running:
            calls, quiet_since = made, now
        elif now - quiet_since > HOLD_SECONDS:
            for source in sources:
                source.shut_down()
            quiet_since = now
        # looks rather than listens: it is a matter of milliseconds, once in the life of a flow
        await asyncio.sleep(0.005)
