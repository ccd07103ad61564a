"""The `job` commands: thin, each calls one function of `server.commands`."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from server.commands.connect import Where, complain, with_client
from server.commands.exits import Exit
from server.commands.output import Form, end_with_reader
from server.jobs.words import JobStatus
from server.wire.graphs import GraphFormat
from server.wire.logs import Level

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_SORTS = ("created", "-created", "changed", "-changed", "job_id", "-job_id", "job_status", "-job_status")


def _server(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say which server; the command gets them as `where`."""

    def with_where(**given: Any) -> int:
        where = Where(**{name: given.pop(name) for name in _WHERE})
        result: int = command(where=where, **given)
        return result

    with_where.__doc__, with_where.__name__ = command.__doc__, command.__name__
    with_where.__click_params__ = list(getattr(command, "__click_params__", ()))  # type: ignore[attr-defined]
    for option in reversed(_SERVER_OPTIONS):
        with_where = option(with_where)
    return with_where


_WHERE = ("url", "token", "profile", "timeout", "ca_cert", "client_cert", "client_key")
_SERVER_OPTIONS = [
    click.option("--url", help="The server's URL.  [default: MODELBOX_URL, a profile's, http://127.0.0.1:1104]"),
    click.option("--token", help="Bearer token.  [default: MODELBOX_TOKEN, the profile's]"),
    click.option("--profile", help="Profile in ~/.config/modelbox-server/profiles.toml."),
    click.option("--ca-cert", metavar="FILE", help="Who may have signed the server's certificate, in PEM."),
    click.option(
        "--client-cert", metavar="FILE", help="The client's certificate, for a server that asks for one."
    ),
    click.option("--client-key", metavar="FILE", help="Its key, if that is in a file of its own."),
    click.option(
        "--timeout",
        type=click.FloatRange(0, min_open=True),
        default=60,
        show_default=True,
        help="Seconds to wait for an answer.",
    ),
]


def _output(*forms: Form) -> Callable[..., Any]:
    names = [form.value for form in forms or tuple(Form)]
    return click.option(
        "-o",
        "--output",
        "form",
        type=click.Choice(names),
        default=Form.TABLE.value,
        show_default=True,
        callback=lambda _, __, given: Form(given),
        help="How to print.",
    )


def _complete_job(context: click.Context, _: click.Parameter, begin: str) -> "list[CompletionItem]":
    from click.shell_completion import CompletionItem

    from server.commands.completion import job_ids

    given = context.params
    where = Where(**{name: given[name] for name in _WHERE if given.get(name)})
    return [CompletionItem(job_id) for job_id in job_ids(where, begin)]


_JOB = click.argument("job_id", metavar="JOB", shell_complete=_complete_job)
_JOBS = click.argument("job_ids", metavar="JOB...", nargs=-1, required=True, shell_complete=_complete_job)
_GRACE = click.option(
    "--grace",
    type=click.FloatRange(0),
    metavar="SECONDS",
    help="For its engine to finish what it has begun.  [default: the server's]",
)
_FORCE = click.option("--force", is_flag=True, help="Kill its engine at once.")
_IF_MATCH = click.option("--if-match", metavar="TAG", help="Only if it still has this etag; see `job show`.")
_SORT = click.option("--sort", type=click.Choice(_SORTS), help="A minus sign: downwards.")


def _labels(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    from server.jobs.labels import labels_of

    try:
        return labels_of(given)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.group()
def job() -> None:
    """Look at a server's jobs, and change them.

    Which server: --url, or MODELBOX_URL, or a profile, or else the one on this machine.
    """


@job.command(name="list")
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
@_SORT
@_output()
@_server
def list_command(
    where: Where, statuses: tuple[str, ...], text: str, labels: tuple[str, ...], sort: str | None, form: Form
) -> int:
    """List jobs: their status, since when, their attempt, endpoints and error."""
    from server.commands.jobs import list_jobs

    end_with_reader()
    words = [JobStatus(word) for word in statuses]
    return with_client(where, lambda client: list_jobs(client, words, text, labels, sort or "created", form))


@job.command()
@_JOB
@_output()
@_server
def show(where: Where, job_id: str, form: Form) -> int:
    """Show all that the server tells of JOB."""
    from server.commands.jobs import show_job

    end_with_reader()
    return with_client(where, lambda client: show_job(client, job_id, form))


@job.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--id", "job_id", help="The job's id.  [default: the file's job_id, or its name without suffix]")
@click.option("--options", metavar="JSON", help="In place of the file's: restart, limits, stall_after, labels.")
@click.option(
    "-l",
    "--label",
    "labels",
    multiple=True,
    metavar="NAME=VALUE",
    callback=_labels,
    help="A label, beside those in the options; may be repeated.",
)
@click.option("--stopped", is_flag=True, help="Do not start it yet; `job start` does.")
@click.option("--no-wait", is_flag=True, help="Do not wait until the flow is up.")
@_server
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


@job.command()
@_JOBS
@_GRACE
@_FORCE
@click.option("--no-wait", is_flag=True, help="Do not wait until its engine is gone.")
@_IF_MATCH
@_server
def delete(
    where: Where, job_ids: tuple[str, ...], grace: float | None, force: bool, no_wait: bool, if_match: str | None
) -> int:
    """Delete jobs, one after the other, and wait until their engines are gone."""
    from server.commands.change import delete as run

    _about_one(job_ids, if_match)
    within = 0.0 if force else grace
    return with_client(
        where, lambda client: run(client, job_ids, grace=within, wait=not no_wait, if_match=if_match)
    )


@job.command()
@_JOBS
@_GRACE
@_FORCE
@click.option("--no-wait", is_flag=True, help="Do not wait until its engine is gone.")
@_IF_MATCH
@_server
def stop(
    where: Where, job_ids: tuple[str, ...], grace: float | None, force: bool, no_wait: bool, if_match: str | None
) -> int:
    """End the engines of jobs, and start none until `job start`. Jobs that have ended stay as they are."""
    from server.commands.orders import order

    _about_one(job_ids, if_match)
    given: dict[str, Any] = {
        "grace": 0.0 if force else grace,
        "wait": not no_wait,
        "if_match": if_match,
    }
    return with_client(where, lambda client: order(job_ids, "stopping", partial(client.stop, **given)))


@job.command()
@_JOBS
@click.option("--no-wait", is_flag=True, help="Do not wait until the flow is up.")
@_IF_MATCH
@_server
def start(where: Where, job_ids: tuple[str, ...], no_wait: bool, if_match: str | None) -> int:
    """Start jobs that were stopped or have ended, or whose next attempt is waited for."""
    from server.commands.orders import order

    _about_one(job_ids, if_match)
    given: dict[str, Any] = {"wait": not no_wait, "if_match": if_match}
    return with_client(where, lambda client: order(job_ids, "starting", partial(client.start, **given)))


@job.command()
@_JOBS
@click.option("--only-failed", is_flag=True, help="Do nothing to jobs that are not FAILED.")
@_GRACE
@_FORCE
@click.option("--no-wait", is_flag=True, help="Do not wait until the flow is up.")
@_IF_MATCH
@_server
def restart(
    where: Where,
    job_ids: tuple[str, ...],
    only_failed: bool,
    grace: float | None,
    force: bool,
    no_wait: bool,
    if_match: str | None,
) -> int:
    """Give jobs another engine, in place of the one that they have, or had."""
    from server.commands.orders import order

    _about_one(job_ids, if_match)
    given: dict[str, Any] = {
        "only_failed": only_failed,
        "grace": 0.0 if force else grace,
        "wait": not no_wait,
        "if_match": if_match,
    }
    return with_client(where, lambda client: order(job_ids, "restarting", partial(client.restart, **given)))


@job.command()
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
@click.option("--dry-run", is_flag=True, help="Show the plan and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--no-check", is_flag=True, help="Do not have the server check them first.")
@_output(Form.TABLE, Form.JSON, Form.YAML)
@_server
def apply(
    where: Where, paths: tuple[Path, ...], prune: bool, dry_run: bool, yes: bool, no_check: bool, form: Form
) -> int:
    """Make the server's jobs those of files. Shows the plan first, and asks.

    A job whose graph or options changed is given them as its next version: it goes on with the old one until the
    new one is ready. Jobs that no file has are left alone, except with --prune. The server checks what is new
    before anything is changed.
    """
    from server.commands.apply import Manner
    from server.commands.apply import apply as run
    from server.commands.flow_files import Unusable, read_all

    try:
        found = read_all(paths)
    except Unusable as error:
        complain(str(error))
        return Exit.UNUSABLE
    manner = Manner(prune=prune, dry_run=dry_run, yes=yes, check=not no_check, form=form)
    return with_client(where, lambda client: run(client, found, manner))


@job.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--local", is_flag=True, help="Without a server, with the units of this machine: as `flow check`.")
@_output(Form.TABLE, Form.JSON)
@_server
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


@job.command()
@_JOB
@click.option("--newest", is_flag=True, help="The newest first.")
@click.option("--limit", type=click.IntRange(1), help="So many at most.")
@_output()
@_server
def history(where: Where, job_id: str, newest: bool, limit: int | None, form: Form) -> int:
    """Show what happened to JOB, and to those that had its id before."""
    from server.commands.events import history as run

    end_with_reader()
    return with_client(where, lambda client: run(client, job_id, newest_first=newest, limit=limit, form=form))


@job.command()
@click.argument("job_id", metavar="[JOB]", required=False, shell_complete=_complete_job)
@click.option("--after", type=click.IntRange(0), help="From behind this position on; 0 is all.  [default: now]")
@click.option("--type", "types", multiple=True, help="Only events of this type; may be repeated.")
@click.option("--count", type=click.IntRange(1), help="End after so many.")
@click.option(
    "--patience",
    type=click.FloatRange(0),
    help="Seconds without the server after which to give up.  [default: never]",
)
@_output()
@_server
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


@job.command()
@_JOB
@click.option("--attempt", type=click.IntRange(1), help="Of this engine.  [default: the newest]")
@click.option("--tail", type=click.IntRange(0), help="Only so many lines, the last.")
@click.option("--since", help="Nothing older: a time in RFC 3339, or how long ago, such as 90s, 10m, 2h, 1d.")
@click.option("--level", type=click.Choice([level.value for level in Level]), help="Nothing of less weight.")
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written from now on.")
@_output()
@_server
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


@job.command()
@_JOB
@click.option(
    "-o",
    "--output",
    "graph_format",
    type=click.Choice([graph_format.value for graph_format in GraphFormat]),
    default=GraphFormat.SOURCE.value,
    show_default=True,
    help="As it was sent, as it was compiled, as DOT, or as a picture: ... -o svg > graph.svg",
)
@_server
def graph(where: Where, job_id: str, graph_format: str) -> int:
    """Show JOB's graph; in the picture, nodes that are wrong or stall are marked."""
    from server.commands.graph import graph as run

    end_with_reader()
    return with_client(where, lambda client: run(client, job_id, GraphFormat(graph_format)))


@job.command()
@_JOB
@_output()
@_server
def versions(where: Where, job_id: str, form: Form) -> int:
    """Show the versions of JOB: who asked for which, and what came of it."""
    from server.commands.versions import versions as run

    end_with_reader()
    return with_client(where, lambda client: run(client, job_id, form))


@job.command()
@_JOB
@click.option("--from", "before", type=click.IntRange(1), help="A version.  [default: the one before the other]")
@click.option("--to", "after", type=click.IntRange(1), help="A version.  [default: the current one]")
@_output(Form.TABLE, Form.JSON, Form.YAML)
@_server
def diff(where: Where, job_id: str, before: int | None, after: int | None, form: Form) -> int:
    """Show how two versions of JOB differ: nodes, edges, options, text. By default what the last change did."""
    from server.commands.versions import diff as run

    end_with_reader()
    return with_client(where, lambda client: run(client, job_id, before, after, form))


@job.command()
@_JOB
@click.option("--to", type=click.IntRange(1), help="A version.  [default: the one that it had before this]")
@_server
def rollback(where: Where, job_id: str, to: int | None) -> int:
    """Give JOB the graph and options of an earlier version, as its next one.

    It goes on with what it has until that is ready. If it does not get ready, nothing has changed.
    """
    from server.commands.versions import rollback as run

    return with_client(where, lambda client: run(client, job_id, to))


@job.command()
@_SORT
@click.option(
    "-d",
    "--interval",
    type=click.FloatRange(0.1),
    default=2,
    show_default=True,
    help="Seconds between two looks.",
)
@click.option("-n", "--count", type=click.IntRange(1), help="End after so many looks.  [default: never]")
@_output(Form.TABLE, Form.WIDE)
@_server
def top(where: Where, sort: str | None, interval: float, count: int | None, form: Form) -> int:
    """Show the jobs again and again, those first that changed last: counts by status, processor time (100% is one
    core), memory."""
    from server.commands.top import top as run

    end_with_reader()
    return with_client(
        where, lambda client: run(client, sort=sort or "-changed", interval=interval, rounds=count, form=form)
    )
