"""How long the database takes, by kind of call."""

from collections.abc import Iterable, Mapping

from server.tally import REQUEST_SECONDS, Durations, Tally, total


class CallTimes:
    """How long the calls of one session took, by kind. Failed ones count too."""

    def __init__(self) -> None:
        self.read = Tally(REQUEST_SECONDS)
        self.ask = Tally(REQUEST_SECONDS)
        self.write = Tally(REQUEST_SECONDS)

    def told(self) -> dict[str, Durations]:
        return {"read": self.read.read(), "ask": self.ask.read(), "write": self.write.read()}


def together(times: Iterable[CallTimes]) -> dict[str, Durations]:
    """Those of several sessions; what none of them did is left out."""
    return merged([one.told() for one in times])


def merged(parts: Iterable[Mapping[str, Durations]]) -> dict[str, Durations]:
    by_kind: dict[str, list[Durations]] = {}
    for part in parts:
        for kind, durations in part.items():
            by_kind.setdefault(kind, []).append(durations)
    sums = {kind: total(parts) for kind, parts in by_kind.items()}
    return {kind: durations for kind, durations in sums.items() if durations is not None and durations.count}
