"""From the options of a command to a client, and from its errors to a line and an exit code."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from server.commands.exits import exit_of
from server.commands.text import printable

if TYPE_CHECKING:
    from server.client import Client, ClientError, Settings


@dataclass(frozen=True)
class Where:
    """What was said on the command line about the server."""

    url: str | None = None
    token: str | None = None
    profile: str | None = None
    timeout: float = 60.0
    ca_cert: str | None = None
    client_cert: str | None = None
    client_key: str | None = None


def with_client(where: Where, use: "Callable[[Client], int]") -> int:
    """The exit code of `use`, or that of its ClientError, which is told on stderr."""
    leave_out_httpx_commands()
    from server.client import Client, ClientError

    try:
        settings = settings_of(where)
        with Client(settings, timeout=where.timeout) as client:
            return use(client)
    except ClientError as error:
        complain(told(error))
        return exit_of(error)


def settings_of(where: Where) -> "Settings":
    """Raises: SettingsError."""
    from server.client import load_settings

    return load_settings(
        where.url,
        where.token,
        where.profile,
        ca_cert=where.ca_cert,
        client_cert=where.client_cert,
        client_key=where.client_key,
    )


def told(error: "ClientError") -> str:
    """The error in one line, with what the server said of its place."""
    from server.client import ApiError

    if not isinstance(error, ApiError):
        return str(error)
    place = error.detail
    where = [] if place is None else [place.field, f"node '{place.node}'" if place.node else ""]
    where += [f"line {place.line}"] if place is not None and place.line else []
    named = ", ".join(part for part in where if part)
    code = f" [{error.code}]" if error.code else ""
    return f"{error.message}{f' (at {named})' if named else ''}{code}"


def complain(text: str) -> None:
    click.echo(f"modelbox-server: {printable(text)}", err=True)


def leave_out_httpx_commands() -> None:
    """httpx imports a command line of its own when it can, and rich and pygments with it, which takes longer than
    all the rest of a short command."""
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
