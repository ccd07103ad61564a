"""docs/cli.md, made from the commands themselves."""

import inspect
import re
from collections.abc import Iterator

import click

from server.commands.exits import MEANINGS

_INTRO = """\
# The command line

`modelbox-server` starts the server (`serve`), looks after its database (`db`), says who may use it (`token`),
works on flows without a server (`flow`), and speaks to a server, here or elsewhere (`job`). This page is written
by `modelbox-server cli-doc`; a test compares it with the code.

Commands print what was asked for on stdout, and what goes wrong on stderr. On a terminal tables are coloured and
cut to its width; in a pipe they are plain text and whole (`NO_COLOR` has them plain on a terminal too). For
programs there is `-o json` and `-o yaml`.

## Which server, and as whom
"""
_EXITS = """\
## Exit codes
Of the commands that speak to a server. Others exit with 0, with 1 when something is wrong, with 2 when they cannot
start; where it differs, the command says so.

| code | |
|---|---|
"""
_COMPLETION = """\
## Completion
`modelbox-server completion bash` (or zsh, fish) prints what has the shell complete commands, options and job ids.
In `~/.bashrc`: `eval "$(modelbox-server completion bash)"`.
"""


def markdown(program: click.Command) -> str:
    from server.client import settings

    context = click.Context(program, info_name="modelbox-server")
    parts = [_INTRO, inspect.cleandoc(settings.__doc__ or "").partition("\n\n")[2], "\n\n", _EXITS]
    parts += [f"| {code.value} | {meaning} |\n" for code, meaning in MEANINGS.items()]
    parts += ["\n", _COMPLETION]
    for command in _commands(program, context):
        parts += ["\n", *_section(command)]
    return "".join(parts)


def _commands(command: click.Command, context: click.Context) -> Iterator[click.Context]:
    """The contexts of all commands that do something, in the order in which help lists them."""
    if not isinstance(command, click.Group):
        yield context
        return
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        assert inner is not None
        if not inner.hidden:
            yield from _commands(inner, click.Context(inner, info_name=name, parent=context))


def _section(context: click.Context) -> Iterator[str]:
    command = context.command
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"## {context.command_path}\n"
    yield f"`{context.command_path} {usage}`\n\n"
    yield f"{inspect.cleandoc(command.help or '')}\n"
    records = [parameter.get_help_record(context) for parameter in command.params]
    options = [record for record in records if record and record[1]]
    if options:
        yield "\n| option | |\n|---|---|\n"
    for names, text in options:
        yield f"| `{_cell(names)}` | {_cell(text)} |\n"


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", r"\|")
