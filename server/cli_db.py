"""The `db` commands: thin, each reads the configuration and calls one function."""

import asyncio
import platform
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from server.cli_archive import archive
from server.cli_options import COMMON, config_of, options, told_in_one_line
from server.config import Config
from server.errors import StartError
from server.jobs.ids import Epoch

if TYPE_CHECKING:
    from server.store import Store

T = TypeVar("T")

NO_EPOCH = Epoch(0)


@click.group()
def db() -> None:
    """Look after the database."""


db.add_command(archive)


@db.command(name="upgrade")
@options(COMMON)
def db_upgrade(**given: Any) -> int:
    """Create the tables, or bring them to this program's schema."""
    from server.store import current, upgrade

    config = config_of(given)
    config.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with told_in_one_line():
        upgrade(config.database_url)
        click.echo(current(config.database_url))
    return 0


@db.command(name="current")
@options(COMMON)
def db_current(**given: Any) -> int:
    """Show the revision of the database's schema."""
    from server.store import current

    with told_in_one_line():
        click.echo(current(config_of(given).database_url) or "no schema")
    return 0


@db.command(name="verify")
@options(COMMON)
@click.option(
    "--archive",
    "archives",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A file that `db archive` made: check it too, and its place in the log. Once for each file there is.",
)
def db_verify(archives: tuple[Path, ...], **given: Any) -> int:
    """Check every row: the chain of the event log, the projection, graphs. Exit code 1 on a difference."""
    config = config_of(given)
    differences = asyncio.run(_with_store(config, lambda store: store.verify(archives)))
    for difference in differences:
        click.echo(str(difference))
    lost = _lost(config)
    if lost:
        click.echo(lost)
    elif not differences:
        click.echo("the projection equals the event log" + (", and the archives fit into it" if archives else ""))
    else:
        click.echo(f"{len(differences)} differences")
    return 1 if differences or lost else 0


def _lost(config: Config) -> str:
    """What the database has lost of what was on record; "" when nothing is known to be lost."""
    from server.store import HistoryLost, StoreError, check, seen

    try:
        check(config.database_url, seen.load(config.state_dir))
    except HistoryLost as lost:
        return str(lost)
    except StoreError:
        pass  # damage, which is told already
    return ""


@db.command(name="rebuild")
@options(COMMON)
def db_rebuild(**given: Any) -> int:
    """Write the projection anew from the event log."""
    jobs = asyncio.run(_with_store(config_of(given), lambda store: store.rebuild()))
    click.echo(f"{jobs} jobs written")
    return 0


@db.command(name="backup")
@options(COMMON)
@click.argument("file", type=click.Path(path_type=Path))
def db_backup(file: Path, **given: Any) -> int:
    """Write the whole database to FILE, as of one moment, while the server runs."""
    from server.store import backup

    with told_in_one_line():
        head = backup(config_of(given).database_url, file)
    click.echo(f"{head.position} events and {head.jobs} jobs written to {file}, and checked")
    return 0


@db.command(name="restore")
@options(COMMON)
@click.option("--replace", is_flag=True, help="Also when the database is not empty; an SQLite file is put aside.")
@click.argument("file", type=click.Path(path_type=Path))
def db_restore(file: Path, replace: bool, **given: Any) -> int:
    """Bring a backup back, into SQLite or Postgres. The server must be stopped; engines may go on: the next server
    keeps those that the backup knows and ends the others."""
    from server.store import restore, seen

    config = config_of(given)
    config.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    known = seen.load(config.state_dir)
    with told_in_one_line():
        work = restore(
            config.database_url,
            file,
            platform.node(),
            replace=replace,
            known_epoch=known.epoch if known else NO_EPOCH,
        )
        head = asyncio.run(work)
    click.echo(f"{head.position} events and {head.jobs} jobs restored, epoch {head.epoch}")
    return 0


@db.command(name="accept-loss")
@options(COMMON)
@click.option("--force", is_flag=True, help="Also when nothing is known here to be lost.")
def db_accept_loss(force: bool, **given: Any) -> int:
    """Go on with a database that has lost events that were on record. Running servers on Postgres go on by
    themselves; on SQLite, stop the server first."""
    from server.store import HistoryLost, accept_loss, check, seen

    config = config_of(given)
    known = seen.load(config.state_dir)
    with told_in_one_line():
        try:
            check(config.database_url, known)
        except HistoryLost as lost:
            click.echo(str(lost))
        else:
            if not force:
                raise StartError(
                    "nothing is lost, as far as is known in this state directory; --force does it all the same"
                )
        epoch = asyncio.run(accept_loss(config.database_url, platform.node(), known))
    click.echo(f"accepted: the log goes on with epoch {epoch}")
    return 0


async def _with_store(config: Config, use: "Callable[[Store], Awaitable[T]]") -> T:
    from server.store import Store

    with told_in_one_line():
        store = await Store.open(config.database_url, check_data=False)
        try:
            return await use(store)
        finally:
            await store.close()
