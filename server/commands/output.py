"""The forms that `-o` offers."""

import os
import select
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any

import click
import msgspec

_LOOK_SECONDS = 0.2
"""Between two looks, when something else than the reader's end was told of stdout."""


class Form(StrEnum):
    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"

    @property
    def is_for_people(self) -> bool:
        return self in (Form.TABLE, Form.WIDE)


def print_value(value: Any, form: Form) -> None:
    """As one JSON or YAML document."""
    if form is Form.JSON:
        click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())
        return
    click.echo(_yaml(value), nl=False)


def print_item(value: Any, form: Form) -> None:
    """One of a stream: a line of JSON, or a YAML document."""
    if form is Form.JSON:
        click.echo(msgspec.json.encode(value).decode())
        return
    click.echo(f"---\n{_yaml(value)}", nl=False)
    sys.stdout.flush()


def _yaml(value: Any) -> str:
    import yaml

    plain = msgspec.json.decode(msgspec.json.encode(value))
    text: str = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)
    return text


def end_with_reader() -> None:
    """`... | head` ends the program quietly. Not for commands that change something."""
    signal.signal(signal.SIGPIPE, _end_if_reader_is_gone)


def end_when_reader_goes() -> None:
    """As `end_with_reader`, which must have been called, but at once: also while there is nothing to print."""
    threading.Thread(target=_wait_for_readers_end, name="reader-watch", daemon=True).start()


def _wait_for_readers_end() -> None:
    stdout = select.poll()
    stdout.register(sys.stdout, 0)
    while True:
        if any(event & select.POLLERR for _, event in stdout.poll()):
            # the main thread: nothing else would wake it
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGPIPE)
            return
        time.sleep(_LOOK_SECONDS)


def _end_if_reader_is_gone(signum: int, _: object) -> None:
    """A server that closes its connection sends the same signal, and that is to be told."""
    stdout = select.poll()
    stdout.register(sys.stdout, 0)
    if any(event & select.POLLERR for _, event in stdout.poll(0)):
        signal.signal(signum, signal.SIG_DFL)
        os.kill(os.getpid(), signum)


@contextmanager
def under_way(text: str) -> Iterator[None]:
    """Shows on a terminal that something takes its time."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.markup import escape

    with Console(stderr=True).status(escape(text)):
        yield
