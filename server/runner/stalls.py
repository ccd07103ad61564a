"""What an engine says of a flow that makes no progress, as an event."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from server.flow.counters import Stall
from server.jobs import events as e


def stalled_event(attempt: int, number: int, stalls: Sequence[Stall], now: datetime) -> e.FlowStalled:
    """`stalls`: at least one node's; they are the `number`th of this attempt."""
    longest = max(stalls, key=lambda stall: stall.seconds)
    # a unit that hangs is why others wait
    culprit = next((stall for stall in stalls if stall.stacks), longest)
    return e.FlowStalled(
        attempt=attempt,
        number=number,
        reason=f"node '{culprit.node}' has made no progress for {culprit.seconds:.0f} s: {culprit.reason}",
        since=now - timedelta(seconds=longest.seconds),
        nodes=tuple(
            e.StalledNode(node=stall.node, unit=stall.unit, reason=stall.reason, stacks=stall.stacks)
            for stall in stalls
        ),
    )
