"""The `job` commands that look: thin, each calls one function of `server.commands`."""

from pathlib import Path

import click

from server.cli_job_options import JOB, SORT, complete_job, output_option, server_options
from server.commands.connect import Where, complain, with_client
from server.commands.exits import Exit
from server.commands.output import Form, end_with_reader
from server.jobs.words import JobStatus
from server.wire.graphs import GraphFormat
from server.wire.logs import Level


@click.command(name="list")
@click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice([word.value for word in JobStatus], case_sensitive=False),
    help="Only jobs in this status; may be repeated.",
)
@click.option("--text", default="", help="Only jobs with this in their id or error.")
@click.option(
    "-l",
    "--label",
    "labels",
    multiple=True,
    metavar="LABEL",
    help="Only jobs with this label, NAME or NAME=VALUE, or without it, !NAME or NAME!=VALUE; may be repeated.",
)
@SORT
@output_option()
@server_options
def list_command(
    where: Where, statuses: tuple[str, ...], text: str, labels: tuple[str, ...], sort: str | None, form: Form
) -> int:
    """List jobs: their status, since when, their attempt, endpoints and error."""
    from server.commands.jobs import list_jobs

    end_with_reader()
    words = [JobStatus(word) for word in statuses]
    return with_client(where, lambda client: list_jobs(client, words, text, labels, sort or "created", form))


@click.command()
@JOB
@output_option()
@server_options
def show(where: Where, job_id: str, form: Form) -> int:
    """Show all that the server tells of JOB."""
    from server.commands.jobs import show_job

    end_with_reader()
    return with_client(where, lambda client: show_job(client, job_id, form))


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--local", is_flag=True, help="Without a server, with the units of this machine: as `flow check`.")
@output_option(Form.TABLE, Form.JSON)
@server_options
def validate(where: Where, paths: tuple[Path, ...], local: bool, form: Form) -> int:
    """Say everything that is wrong with flows in files and folders, as the server sees it; nothing is changed.

    Exit code 1 when something is wrong, 2 when a file cannot be read.
    """
    from server.commands.checks import validate as run
    from server.commands.checks import validate_here
    from server.commands.flow_files import Unusable

    end_with_reader()
    try:
        if local:
            return validate_here(paths, as_json=form is Form.JSON)
        return with_client(where, lambda client: run(client, paths, form))
    except Unusable as error:
        complain(str(error))
        return Exit.UNUSABLE


@click.command()
@JOB
@click.option("--newest", is_flag=True, help="The newest first.")
@click.option("--limit", type=click.IntRange(1), help="So many at most.")
@output_option()
@server_options
def history(where: Where, job_id: str, newest: bool, limit: int | None, form: Form) -> int:
    """Show what happened to JOB, and to those that had its id before."""
    from server.commands.events import history as run

    end_with_reader()
    return with_client(where, lambda client: run(client, job_id, newest_first=newest, limit=limit, form=form))


@click.command()
@click.argument("job_id", metavar="[JOB]", required=False, shell_complete=complete_job)
@click.option("--after", type=click.IntRange(0), help="From behind this position on; 0 is all.  [default: now]")
@click.option("--type", "types", multiple=True, help="Only events of this type; may be repeated.")
@click.option("--count", type=click.IntRange(1), help="End after so many.")
@click.option(
    "--patience",
    type=click.FloatRange(0),
    help="Seconds without the server after which to give up.  [default: never]",
)
@output_option()
@server_options
def watch(
    where: Where,
    job_id: str | None,
    after: int | None,
    types: tuple[str, ...],
    count: int | None,
    patience: float | None,
    form: Form,
) -> int:
    """Show what happens to JOB, or to all jobs, as it happens.

    Goes on over restarts of the server, and misses nothing. With -o json each event is a line.
    """
    from server.commands.events import watch as run

    end_with_reader()
    return with_client(
        where,
        lambda client: run(client, job_id, after=after, types=types, count=count, patience=patience, form=form),
    )


@click.command()
@JOB
@click.option("--attempt", type=click.IntRange(1), help="Of this engine.  [default: the newest]")
@click.option("--tail", type=click.IntRange(0), help="Only so many lines, the last.")
@click.option("--since", help="Nothing older: a time in RFC 3339, or how long ago, such as 90s, 10m, 2h, 1d.")
@click.option("--level", type=click.Choice([level.value for level in Level]), help="Nothing of less weight.")
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written from now on.")
@output_option()
@server_options
def logs(
    where: Where,
    job_id: str,
    attempt: int | None,
    tail: int | None,
    since: str | None,
    level: str | None,
    follow: bool,
    form: Form,
) -> int:
    """Show what JOB's engine printed and logged.

    With --follow it goes on over restarts of engine and server, and misses nothing. With -o json each line is an
    object.
    """
    from server.commands.logs import Wish
    from server.commands.logs import logs as run

    end_with_reader()
    wish = Wish(job_id, attempt, tail, since, level, follow)
    return with_client(where, lambda client: run(client, wish, form))


@click.command()
@JOB
@click.option(
    "-o",
    "--output",
    "graph_format",
    type=click.Choice([graph_format.value for graph_format in GraphFormat]),
    default=GraphFormat.SOURCE.value,
    show_default=True,
    help="As it was sent, as it was compiled, as DOT, or as a picture: ... -o svg > graph.svg",
)
@server_options
def graph(where: Where, job_id: str, graph_format: str) -> int:
    """Show JOB's graph; in the picture, nodes that are wrong or stall are marked."""
    from server.commands.graph import graph as run

    end_with_reader()
    return with_client(where, lambda client: run(client, job_id, GraphFormat(graph_format)))


@click.command()
@JOB
@output_option()
@server_options
def versions(where: Where, job_id: str, form: Form) -> int:
    """Show the versions of JOB: who asked for which, and what came of it."""
    from server.commands.versions import versions as run

    end_with_reader()
    return with_client(where, lambda client: run(client, job_id, form))


@click.command()
@JOB
@click.option("--from", "before", type=click.IntRange(1), help="A version.  [default: the one before the other]")
@click.option("--to", "after", type=click.IntRange(1), help="A version.  [default: the current one]")
@output_option(Form.TABLE, Form.JSON, Form.YAML)
@server_options
def diff(where: Where, job_id: str, before: int | None, after: int | None, form: Form) -> int:
    """Show how two versions of JOB differ: nodes, edges, options, text. By default what the last change did."""
    from server.commands.versions import diff as run

    end_with_reader()
    return with_client(where, lambda client: run(client, job_id, before, after, form))


@click.command()
@SORT
@click.option(
    "-d",
    "--interval",
    type=click.FloatRange(0.1),
    default=2,
    show_default=True,
    help="Seconds between two looks.",
)
@click.option("-n", "--count", type=click.IntRange(1), help="End after so many looks.  [default: never]")
@output_option(Form.TABLE, Form.WIDE)
@server_options
def top(where: Where, sort: str | None, interval: float, count: int | None, form: Form) -> int:
    """Show the jobs again and again, those first that changed last: counts by status, processor time (100% is one
    core), memory."""
    from server.commands.top import top as run

    end_with_reader()
    return with_client(
        where, lambda client: run(client, sort=sort or "-changed", interval=interval, rounds=count, form=form)
    )
