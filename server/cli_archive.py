"""`modelbox-server db archive`."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from server.cli_options import COMMON, config_of, options, told_in_one_line
from server.moments import moment_of


@click.command()
@options(COMMON)
@click.option(
    "--deleted-before",
    required=True,
    metavar="WHEN",
    help="How long ago a job must have been deleted, such as 30d or 12h; or a time in RFC 3339.",
)
@click.argument("file", type=click.Path(path_type=Path))
def archive(file: Path, deleted_before: str, **given: Any) -> int:
    """Move the events of jobs that were deleted long ago out of the database into FILE, as JSON lines, compressed
    when its name ends in .gz. The server may run. When it was interrupted, run it again."""
    from server.store import archive as move
    from server.store import check, seen

    now = datetime.now(UTC)
    try:
        before = moment_of(deleted_before, now)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--deleted-before") from error
    config = config_of(given)
    with told_in_one_line():
        check(config.database_url, seen.load(config.state_dir))
        done = asyncio.run(move(config.database_url, file, before, now))
    if done is None:
        click.echo("there is nothing to archive, no file was made")
        return 0
    click.echo(f"{file} has {done.events} events of {done.jobs} deleted jobs")
    removed = f"{done.removed_events} events of {done.removed_jobs} jobs and {done.removed_graphs} graphs"
    click.echo(f"{removed} were removed from the database")
    return 0
