"""The group of the `job` commands."""

import click

from server import cli_job_change as changing
from server import cli_job_look as looking


@click.group()
def job() -> None:
    """Look at a server's jobs, and change them.

    Which server: --url, or MODELBOX_URL, or a profile, or else the one on this machine.
    """


for command in (
    looking.list_command,
    looking.show,
    looking.validate,
    looking.history,
    looking.watch,
    looking.logs,
    looking.graph,
    looking.versions,
    looking.diff,
    looking.top,
    changing.create,
    changing.delete,
    changing.stop,
    changing.start,
    changing.restart,
    changing.apply,
    changing.rollback,
):
    job.add_command(command)
