"""`job stop`, `job start` and `job restart`."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from server.commands.connect import complain, told
from server.commands.exits import Exit, exit_of
from server.commands.output import under_way
from server.commands.text import printable

if TYPE_CHECKING:
    from server.wire.bodies import JobBody


def order(job_ids: Sequence[str], doing: str, one: "Callable[[str], JobBody]") -> int:
    """Goes on with the other jobs when one refuses. The exit code is the first failure's."""
    from server.client import ApiError

    code = Exit.OK
    for job_id in job_ids:
        try:
            with under_way(f"{doing} {job_id}"):
                body = one(job_id)
        except ApiError as error:
            complain(f"{job_id}: {told(error)}")
            code = code or exit_of(error)
            continue
        stopped = ", stopped" if body.desired == "stopped" else ""
        click.echo(f"{printable(job_id)} {body.job_status}{stopped}")
    return code
