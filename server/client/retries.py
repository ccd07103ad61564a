"""When a request that failed is sent again."""

from dataclasses import dataclass
from typing import Any

from server.client.calls import Call
from server.client.errors import ClientError, StillAnswering, Unavailable, Unreachable

LONGEST_DELAY = 10.0
MOST_LOOKS = 60
"""Tries, a second apart, to get the answer of an earlier one: longer than a server works on a request."""


@dataclass(frozen=True)
class Retries:
    """`count`: how often, at most, after the first try. `delay`: seconds before the second try, which double with
    each. What is not idempotent is sent again only when nothing of it can have arrived. While the server says that
    it still works on an earlier try, it is asked each second for up to a minute, unless `count` is 0."""

    count: int = 3
    delay: float = 0.2

    def delay_after(self, call: Call[Any], tries: int, failure: ClientError) -> float | None:
        """Seconds to wait after so many tries; None: the failure is final."""
        if isinstance(failure, StillAnswering) and self.count and tries < MOST_LOOKS:
            return 1.0 if failure.retry_after is None else failure.retry_after
        if tries > self.count:
            return None
        pause = min(self.delay * 2.0 ** (tries - 1), LONGEST_DELAY)
        match failure:
            case Unreachable(nothing_sent=True):
                return pause
            case Unreachable() if call.is_idempotent:
                return pause
            case Unavailable() if call.is_idempotent:
                return min(max(pause, failure.retry_after or 0.0), LONGEST_DELAY)
        return None


NO_RETRIES = Retries(count=0)
