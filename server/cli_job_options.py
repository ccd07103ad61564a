"""The options that several `job` commands have."""

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from server.commands.connect import Where
from server.commands.output import Form

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_SORTS = ("created", "-created", "changed", "-changed", "job_id", "-job_id", "job_status", "-job_status")


def server_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say which server; the command gets them as `where`."""

    @wraps(command)
    def with_where(**given: Any) -> Any:
        where = Where(**{name: given.pop(name) for name in _WHERE})
        return command(where=where, **given)

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


def output_option(*forms: Form) -> Callable[..., Any]:
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


def complete_job(context: click.Context, _: click.Parameter, begin: str) -> "list[CompletionItem]":
    from click.shell_completion import CompletionItem

    from server.commands.completion import job_ids

    given = context.params
    where = Where(**{name: given[name] for name in _WHERE if given.get(name)})
    return [CompletionItem(job_id) for job_id in job_ids(where, begin)]


JOB = click.argument("job_id", metavar="JOB", shell_complete=complete_job)
JOBS = click.argument("job_ids", metavar="JOB...", nargs=-1, required=True, shell_complete=complete_job)

_GRACE = click.option(
    "--grace",
    type=click.FloatRange(0),
    metavar="SECONDS",
    help="For its engine to finish what it has begun.  [default: the server's]",
)
_FORCE = click.option("--force", is_flag=True, help="Kill its engine at once.")


def grace_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--grace` and `--force`; the command gets `grace`, which is 0 by force, whatever else is given."""

    @wraps(command)
    def with_grace(*, grace: float | None, force: bool, **given: Any) -> Any:
        return command(grace=0.0 if force else grace, **given)

    return _GRACE(_FORCE(with_grace))


IF_MATCH = click.option("--if-match", metavar="TAG", help="Only if it still has this etag; see `job show`.")
SORT = click.option("--sort", type=click.Choice(_SORTS), help="A minus sign: downwards.")


def labels_in(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    from server.jobs.labels import labels_of

    try:
        return labels_of(given)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
