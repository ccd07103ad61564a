"""What is wrong with a graph, collected by the checks until there is enough of it."""

from server.flow.status import FlowError


class Enough(Exception):
    """As many problems as were asked for."""


class Findings:
    """Collects up to `limit` problems. Saying what would be right is slow, so nobody should look for more."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._problems: list[FlowError] = []

    def add(self, problem: FlowError) -> None:
        """Raises: Enough, at the last problem that fits."""
        self._problems.append(problem)
        if len(self._problems) >= self._limit:
            raise Enough

    def __bool__(self) -> bool:
        return bool(self._problems)

    @property
    def problems(self) -> tuple[FlowError, ...]:
        return tuple(self._problems)
