"""The `job` commands that change something: thin, each calls one function of `server.commands`."""

from functools import partial
from pathlib import Path
from typing import Any

import click

from server.cli_job_options import IF_MATCH, JOB, JOBS, grace_options, labels_in, output_option, server_options
from server.commands.connect import Where, complain, with_client
from server.commands.exits import Exit
from server.commands.output import Form


@click.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--id", "job_id", help="The job's id.  [default: the file's job_id, or its name without suffix]")
@click.option("--options", metavar="JSON", help="In place of the file's: restart, limits, stall_after, labels.")
@click.option(
    "-l",
    "--label",
    "labels",
    multiple=True,
    metavar="NAME=VALUE",
    callback=labels_in,
    help="A label, beside those in the options; may be repeated.",
)
@click.option("--stopped", is_flag=True, help="Do not start it yet; `job start` does.")
@click.option("--no-wait", is_flag=True, help="Do not wait until the flow is up.")
@server_options
def create(
    where: Where,
    file: Path,
    job_id: str | None,
    options: str | None,
    labels: dict[str, str],
    stopped: bool,
    no_wait: bool,
) -> int:
    """Create a job from FILE: a graph in TOML or JSON, or the JSON body of a create request; - is stdin."""
    import msgspec

    from server.commands.change import create as run
    from server.commands.flow_files import Unusable, read_flow

    try:
        flow = read_flow(file, job_id)
        given = None if options is None else msgspec.json.decode(options, type=dict[str, Any])
    except Unusable as error:
        complain(str(error))
        return Exit.UNUSABLE
    except msgspec.MsgspecError as error:
        raise click.BadParameter(f"no JSON object: {error}", param_hint="--options") from error
    return with_client(where, lambda client: run(client, flow, given, labels, stopped=stopped, wait=not no_wait))


def _about_one(job_ids: tuple[str, ...], if_match: str | None) -> None:
    if if_match is not None and len(job_ids) > 1:
        raise click.UsageError("--if-match is about one job, and there are several")


@click.command()
@JOBS
@grace_options
@click.option("--no-wait", is_flag=True, help="Do not wait until its engine is gone.")
@IF_MATCH
@server_options
def delete(
    where: Where, job_ids: tuple[str, ...], grace: float | None, no_wait: bool, if_match: str | None
) -> int:
    """Delete jobs, one after the other, and wait until their engines are gone."""
    from server.commands.change import delete as run

    _about_one(job_ids, if_match)
    return with_client(
        where, lambda client: run(client, job_ids, grace=grace, wait=not no_wait, if_match=if_match)
    )


@click.command()
@JOBS
@grace_options
@click.option("--no-wait", is_flag=True, help="Do not wait until its engine is gone.")
@IF_MATCH
@server_options
def stop(where: Where, job_ids: tuple[str, ...], grace: float | None, no_wait: bool, if_match: str | None) -> int:
    """End the engines of jobs, and start none until `job start`. Jobs that have ended stay as they are."""
    from server.commands.orders import order

    _about_one(job_ids, if_match)
    given: dict[str, Any] = {"grace": grace, "wait": not no_wait, "if_match": if_match}
    return with_client(where, lambda client: order(job_ids, "stopping", partial(client.stop, **given)))


@click.command()
@JOBS
@click.option("--no-wait", is_flag=True, help="Do not wait until the flow is up.")
@IF_MATCH
@server_options
def start(where: Where, job_ids: tuple[str, ...], no_wait: bool, if_match: str | None) -> int:
    """Start jobs that were stopped or have ended, or whose next attempt is waited for."""
    from server.commands.orders import order

    _about_one(job_ids, if_match)
    given: dict[str, Any] = {"wait": not no_wait, "if_match": if_match}
    return with_client(where, lambda client: order(job_ids, "starting", partial(client.start, **given)))


@click.command()
@JOBS
@click.option("--only-failed", is_flag=True, help="Do nothing to jobs that are not FAILED.")
@grace_options
@click.option("--no-wait", is_flag=True, help="Do not wait until the flow is up.")
@IF_MATCH
@server_options
def restart(
    where: Where,
    job_ids: tuple[str, ...],
    only_failed: bool,
    grace: float | None,
    no_wait: bool,
    if_match: str | None,
) -> int:
    """Give jobs another engine, in place of the one that they have, or had."""
    from server.commands.orders import order

    _about_one(job_ids, if_match)
    given: dict[str, Any] = {
        "only_failed": only_failed,
        "grace": grace,
        "wait": not no_wait,
        "if_match": if_match,
    }
    return with_client(where, lambda client: order(job_ids, "restarting", partial(client.restart, **given)))


@click.command()
@click.option(
    "-f",
    "--file",
    "paths",
    multiple=True,
    required=True,
    type=click.Path(path_type=Path, exists=True),
    help="A flow, or a folder of flows (*.toml, *.json, create bodies); may be repeated.",
)
@click.option("--prune", is_flag=True, help="Delete the jobs created over REST that no file has.")
@click.option(
    "-l",
    "--label",
    "only",
    multiple=True,
    metavar="LABEL",
    help="With --prune: only jobs with this label, as for `job list`; may be repeated.",
)
@click.option("--dry-run", is_flag=True, help="Show the plan and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--no-check", is_flag=True, help="Do not have the server check them first.")
@output_option(Form.TABLE, Form.JSON, Form.YAML)
@server_options
def apply(
    where: Where,
    paths: tuple[Path, ...],
    prune: bool,
    only: tuple[str, ...],
    dry_run: bool,
    yes: bool,
    no_check: bool,
    form: Form,
) -> int:
    """Make the server's jobs those of files. Shows the plan first, and asks.

    A job whose graph or options changed is given them as its next version: it goes on with the old one until the
    new one is ready. Jobs that no file has are left alone, except with --prune. The server checks what is new
    before anything is changed.
    """
    from server.commands.apply import Manner
    from server.commands.apply import apply as run
    from server.commands.flow_files import Unusable, read_all
    from server.jobs.labels import label_test

    if only and not prune:
        raise click.UsageError("--label says which jobs --prune may delete, and there is no --prune")
    try:
        tests = tuple(label_test(text) for text in only)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--label") from error
    try:
        found = read_all(paths)
    except Unusable as error:
        complain(str(error))
        return Exit.UNUSABLE
    manner = Manner(prune=prune, only=tests, dry_run=dry_run, yes=yes, check=not no_check, form=form)
    return with_client(where, lambda client: run(client, found, manner))


@click.command()
@JOB
@click.option("--to", type=click.IntRange(1), help="A version.  [default: the one that it had before this]")
@IF_MATCH
@server_options
def rollback(where: Where, job_id: str, to: int | None, if_match: str | None) -> int:
    """Give JOB the graph and options of an earlier version, as its next one.

    It goes on with what it has until that is ready. If it does not get ready, nothing has changed.
    """
    from server.commands.versions import rollback as run

    return with_client(where, lambda client: run(client, job_id, to, if_match))
