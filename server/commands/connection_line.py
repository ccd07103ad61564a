"""Whether a stream has its connection, for whoever looks at it."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from server.commands.connect import complain
from server.commands.text import printable


@contextmanager
def connection_shown() -> Iterator[Callable[[str | None], None]]:
    """Gives who is to be told of the connection: on a terminal a line at the foot, in a pipe lines on stderr when
    it is lost and when it is there again."""
    if not (sys.stdout.isatty() and sys.stderr.isatty()):
        yield _Lines().told
        return
    from rich.console import Console
    from rich.markup import escape

    console = Console(stderr=True)
    with console.status("connecting") as status:
        yield lambda reason: status.update(
            "watching; Ctrl-C ends it" if reason is None else f"[red]{escape(printable(reason))}[/]; trying again"
        )


class _Lines:
    def __init__(self) -> None:
        self._is_lost = False

    def told(self, reason: str | None) -> None:
        if reason is not None and not self._is_lost:
            complain(f"{reason}; trying again")
        elif reason is None and self._is_lost:
            complain("connected again")
        self._is_lost = reason is not None
