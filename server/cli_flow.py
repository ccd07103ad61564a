"""The `flow` commands: thin, each calls one function of `server.flow.commands`."""

import signal
from pathlib import Path

import click

_GRAPH = click.argument("graph", type=click.Path(path_type=Path))
_OUTPUT = click.option(
    "-o", "--output-format", type=click.Choice(["text", "json"]), default="text", help="How to print."
)


def _named(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    """Raises: BadParameter, for what is not NAME=VALUE and for a name given twice."""
    named: dict[str, str] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{each!r} is not NAME=VALUE")
        if name in named:
            raise click.BadParameter(f"{name!r} is given twice")
        named[name] = value
    return named


_ARGS = click.option(
    "--arg",
    "args",
    multiple=True,
    metavar="NAME=VALUE",
    callback=_named,
    help="Value of an argument that the graph declares under [args]; may be repeated.  [default: the graph's]",
)

_FOLDER = click.option(
    "--dir", "folder", type=click.Path(path_type=Path), default=Path(), help="Where to make it.  [default: here]"
)


def _end_with_reader() -> None:
    """`... | head` ends the program quietly. Not for `run`, whose flow goes on without a reader."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)


@click.group()
def flow() -> None:
    """Run, check and show graphs; list flow units; make skeletons of units and projects."""


@flow.command(name="run")
@_GRAPH
@_ARGS
@click.option("--grace", type=click.FloatRange(0), default=60, show_default=True, help="Seconds to drain.")
@click.option(
    "--report",
    type=click.FloatRange(0),
    default=10,
    show_default=True,
    help="In a pipe, seconds between counters.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"], case_sensitive=False),
    default="info",
    show_default=True,
    help="What of the units' log lines to show.",
)
def run_flow(graph: Path, args: dict[str, str], grace: float, report: float, log_level: str) -> int:
    """Run GRAPH in this process until it ends. Ctrl-C: nothing new is taken and what is in flight finishes; again:
    end at once.

    Exit code 0 when it succeeded or was drained, 1 when it failed or could not be drained in time, 2 when it could
    not be built, 130 when it was ended at once.
    """
    from server.flow.commands.run import run

    return run(graph, args, grace=grace, report_seconds=report, log_level=log_level)


@flow.command()
@click.argument("graphs", nargs=-1, required=True, type=click.Path(path_type=Path))
@_ARGS
@_OUTPUT
def check(graphs: tuple[Path, ...], args: dict[str, str], output_format: str) -> int:
    """Say everything that is wrong with GRAPHS, without running them.

    Exit code 0 when nothing is, 1 when something is, 2 when a file cannot be read.
    """
    from server.flow.commands.check import check as run

    _end_with_reader()
    return run(graphs, args, as_json=output_format == "json")


@flow.command()
@_GRAPH
@_ARGS
@click.option("--dot", is_flag=True, help="The same as -o dot.")
@click.option(
    "-o",
    "--output-format",
    type=click.Choice(["text", "dot", "svg"]),
    default="text",
    help="As text, as DOT for other programs, or as a picture: ... -o svg > graph.svg",
)
def show(graph: Path, args: dict[str, str], dot: bool, output_format: str) -> int:
    """Show the nodes of GRAPH: units, ports, batch and queue sizes, where inputs are matched."""
    from server.flow.commands.show import Form
    from server.flow.commands.show import show as run

    _end_with_reader()
    return run(graph, args, Form.DOT if dot else Form(output_format))


@flow.command()
@click.option(
    "--dir", "folders", multiple=True, type=click.Path(path_type=Path), help="Folder of units, as driver.dir."
)
@click.option(
    "-o", "--output-format", type=click.Choice(["text", "json", "markdown"]), default="text", help="How to print."
)
def units(folders: tuple[Path, ...], output_format: str) -> int:
    """List flow units with their ports and options, and descriptions that are broken.

    Exit code 1 when a description is broken, 2 when a folder is not there.
    """
    from server.flow.commands.units import Form
    from server.flow.commands.units import units as run

    _end_with_reader()
    return run(folders, Form(output_format))


@flow.command(name="new-unit")
@click.argument("name")
@click.option(
    "--kind",
    type=click.Choice(["normal", "stream", "condition", "expand", "collapse"]),
    default="normal",
    show_default=True,
    help="What the unit does with its streams.",
)
@click.option("--input", "inputs", multiple=True, help="Name of an input; may be repeated.  [default: in_1]")
@click.option("--output", "outputs", multiple=True, help="Name of an output; may be repeated.  [default: out_1]")
@_FOLDER
def new_unit(name: str, kind: str, inputs: tuple[str, ...], outputs: tuple[str, ...], folder: Path) -> int:
    """Make a Python unit NAME that works: description, class, test. Nothing is overwritten."""
    from server.flow.commands.skeleton import new_unit as run

    return run(name, kind, inputs, outputs, folder)


@flow.command(name="new-project")
@click.argument("name")
@_FOLDER
def new_project(name: str, folder: Path) -> int:
    """Make a project NAME that works: graph, unit, tests. Nothing is overwritten."""
    from server.flow.commands.skeleton import new_project as run

    return run(name, folder)
