"""`token list`."""

from collections.abc import Sequence
from datetime import UTC, datetime

from server.commands.output import Form, print_value
from server.commands.text import Cell, at, print_table
from server.jobs.access import Token, scope_text
from server.wire.tokens import TokenRow

_HEADINGS = ("NAME", "TOKEN", "ROLE", "STATE", "LABELS", "CREATED", "EXPIRES", "REVOKED")


def print_tokens(tokens: Sequence[Token], form: Form) -> None:
    now = datetime.now(UTC)
    rows = [TokenRow.of(token, now) for token in tokens]
    if not form.is_for_people:
        print_value(rows, form)
        return
    print_table(_HEADINGS, [_cells(row) for row in rows])


def _cells(row: TokenRow) -> list[Cell]:
    texts = (row.name, row.token, row.role, row.state, scope_text(row.labels))
    times = (row.created, row.expires, row.revoked)
    return [*(Cell(text) for text in texts), *(Cell("" if time is None else at(time)) for time in times)]
