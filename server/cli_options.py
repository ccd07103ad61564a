"""What commands share that work on an installation: its options, its configuration, its errors in one line."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from server.config import Config, load_config
from server.errors import StartError

COMMON = [
    click.option("--conf", type=click.Path(path_type=Path), help="TOML file; see conf/server.toml for its keys."),
    click.option("--state-dir", help="Where database, sockets and logs live."),
    click.option("--database-url", help="sqlite:///PATH or postgresql://...; default: SQLite in the state dir."),
]
OPEN = "open_to_all"


def options(*groups: list[Callable[..., Any]]) -> Callable[..., Any]:
    def apply(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed([option for group in groups for option in group]):
            command = option(command)
        return command

    return apply


def config_of(given: dict[str, Any]) -> Config:
    """From the options of a command, which are those of the section `server`. Raises: StartError."""
    from server.process import configure_logging  # loads structlog, and rich with it

    conf = given.pop("conf", None)
    is_open = given.pop(OPEN, False)
    named: dict[str, object] = {f"server.{name}": value for name, value in given.items()}
    config = load_config(conf, named | {"access.tokens": "open" if is_open else None})
    configure_logging(config.server.log_level)
    return config


@contextmanager
def told_in_one_line() -> Iterator[None]:
    from server.store import StoreError

    try:
        yield
    except StoreError as error:
        raise StartError(str(error)) from error
