"""The `token` commands: they work on the database, whether a server runs or not."""

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from server.cli_options import COMMON, config_of, options, told_in_one_line
from server.commands.output import Form
from server.errors import StartError
from server.jobs.access import NAME, Role, Token, id_in, new_token_text, scope_text, sha256_of

if TYPE_CHECKING:
    from server.config import Config

_FOR = re.compile(r"(\d{1,6})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


@click.group()
def token() -> None:
    """Make and revoke the tokens that let clients use the API.

    They are in the database: servers need not be asked, and know within a second.
    """


def _name(_: click.Context, __: click.Parameter, given: str) -> str:
    if NAME.fullmatch(given) is None:
        raise click.BadParameter("up to 64 letters, digits and . _ + -, a letter or digit first")
    return given


def _scope(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    scope: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise click.BadParameter(f"'{text}' is no NAME=VALUE")
        if name in scope:
            raise click.BadParameter(f"'{name}' is given twice")
        scope[name] = value
    return scope


def _expiry(_: click.Context, __: click.Parameter, given: str | None) -> datetime | None:
    if given is None:
        return None
    now = datetime.now(UTC)
    try:
        until = _FOR.fullmatch(given)
        if until is not None:
            at = now + timedelta(**{_UNITS[until[2]]: int(until[1])})
        else:
            at = datetime.fromisoformat(given)
            at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(
            "must be a time such as 2026-12-31 or 2026-12-31T12:00:00Z, or how long, such as 90d, 12h"
        ) from error
    if at <= now:
        raise click.BadParameter(f"{at:%Y-%m-%dT%H:%M:%SZ} is over")
    return at


@token.command()
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    required=True,
    help="What it may do: read; operate: also create, change and delete jobs; admin: everything.",
)
@click.option(
    "--name", required=True, callback=_name, help="By which it stands in lists and in the history of jobs."
)
@click.option(
    "--label",
    "scope",
    multiple=True,
    metavar="NAME=VALUE",
    callback=_scope,
    help="Only for jobs with this label; may be repeated: a job must have all.",
)
@click.option(
    "--expires", metavar="WHEN", callback=_expiry, help="A time, or how long: 90d, 12h, 30m.  [default: never]"
)
@options(COMMON)
def create(role: str, name: str, scope: dict[str, str], expires: datetime | None, **given: Any) -> int:
    """Make a token, and print it: this once, for only its hash is kept."""
    from server.store.tokens import add_token

    if scope and Role(role) is Role.ADMIN:
        raise click.BadParameter("a token with the role admin is for everything", param_hint="--label")
    text = new_token_text()
    made = Token(
        id=id_in(text) or "",
        name=name,
        role=Role(role),
        scope=scope,
        sha256=sha256_of(text),
        created_at=datetime.now(UTC),
        expires_at=expires,
    )
    config = config_of(given)
    with told_in_one_line():
        add_token(config.database_url, made)
    click.echo(text)
    click.echo(f"token '{name}', {role}{_limits(made)}: keep it, it is not shown again", err=True)
    _say_when_not_needed(config)
    return 0


@token.command(name="list")
@click.option(
    "-o",
    "--output",
    "form",
    type=click.Choice([Form.TABLE.value, Form.JSON.value]),
    default=Form.TABLE.value,
    show_default=True,
    help="How to print.",
)
@options(COMMON)
def list_command(form: str, **given: Any) -> int:
    """List all tokens, revoked ones too."""
    from server.commands.tokens import print_tokens
    from server.store.tokens import all_tokens

    config = config_of(given)
    with told_in_one_line():
        tokens = all_tokens(config.database_url)
    print_tokens(tokens, Form(form))
    return 0


@token.command()
@click.argument("name", metavar="NAME")
@options(COMMON)
def revoke(name: str, **given: Any) -> int:
    """Revoke the token NAME, or the one that begins with mbx_..._: it counts no more, and requests that are under
    way with it are cut off, within a second."""
    from server.store.tokens import revoke_token

    if id_in(name) is not None:
        raise StartError("this is a whole token, which should be shown to nobody; its name will do")
    config = config_of(given)
    with told_in_one_line():
        revoked = revoke_token(config.database_url, name)
    click.echo(f"revoked: {revoked.name} ({revoked.shown})")
    return 0


def _limits(made: Token) -> str:
    scope = f", for jobs with {scope_text(made.scope)}" if made.scope else ""
    return scope + (f", until {made.expires_at:%Y-%m-%dT%H:%M:%SZ}" if made.expires_at else "")


def _say_when_not_needed(config: "Config") -> None:
    access, host = config.access.tokens, config.server.host
    if access == "open" or (access == "auto" and host in ("127.0.0.1", "::1", "localhost")):
        click.echo(
            f"note: a server with this configuration (host {host}, access.tokens {access}) lets in what has no"
            ' token, unless access.tokens is "required"',
            err=True,
        )
