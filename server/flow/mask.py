"""Takes resolved secrets out of what a process says."""

import json
import re
from functools import cache
from urllib.parse import quote, quote_plus

MASKED = "[secret]"
SHORTEST = 4
"""Characters; without a shorter one a text would not be readable any more."""
SHORTEST_LINE = 12
"""Characters of a line of a longer secret that is masked alone."""


class Mask:
    """The secrets that were resolved in one process. From any thread."""

    def __init__(self) -> None:
        self._forms: frozenset[str] = frozenset()
        self._pattern: re.Pattern[str] | None = None

    @staticmethod
    @cache
    def of_process() -> "Mask":
        return Mask()

    def add(self, secret: str) -> None:
        """As it is, and in the forms that errors quote it in."""
        parts = [secret, *(line for line in secret.splitlines() if len(line) >= SHORTEST_LINE)]
        forms = {form for part in parts for form in _forms(part)} - self._forms
        if not forms:
            return
        self._forms |= forms
        longest_first = sorted(self._forms, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    def __call__(self, text: str) -> str:
        pattern = self._pattern
        return text if pattern is None else pattern.sub(MASKED, text)


def _forms(secret: str) -> set[str]:
    quoted = {
        secret,
        repr(secret)[1:-1],
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        quote(secret, safe=""),
        quote(secret),
        quote_plus(secret),
    }
    return {form for form in quoted if len(form) >= SHORTEST}
