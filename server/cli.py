"""The commands: thin, each reads the configuration and calls one function."""

import sys
from typing import Any

import click

from server.cli_db import db
from server.cli_docs import cli_doc, completion
from server.cli_flow import flow
from server.cli_job import job
from server.cli_options import COMMON, OPEN, config_of, options, told_in_one_line
from server.cli_support import doctor, support_bundle
from server.cli_token import token
from server.config import Config
from server.errors import StartError
from server.tracing import check_packages

START_ERROR_EXIT = 2

_LISTEN = [
    click.option("--host", help="Address to listen on."),
    click.option("--port", type=int, help="TCP port to listen on."),
    click.option("--open", OPEN, is_flag=True, help="Let everybody in who gets there: no tokens are needed."),
]
_FLOWS = [click.option("--flow-path", help="Folder of flows that are jobs at boot.")]
_STOP_ENGINES = [
    click.option("--stop-engines", is_flag=True, help="On SIGTERM stop the engines too, as on Ctrl-C.")
]


@click.group()
@click.version_option(package_name="modelbox-server")
def cli() -> None:
    """A persistent job server for dataflow graphs, compatible with ModelBox Server's REST API."""


for command in (flow, job, db, token, doctor, support_bundle, completion, cli_doc):
    cli.add_command(command)


@cli.command()
@options(COMMON, _LISTEN, _FLOWS, _STOP_ENGINES)
def serve(stop_engines: bool, **given: Any) -> int:
    """Start everything on this machine: API, runner, engine host."""
    from server.api.bind import scheme, with_access_decided
    from server.api.listener import listen
    from server.api.tls import tls_of
    from server.store import check, seen, upgrade
    from server.supervisor import serve as run_all
    from server.supervisor import state_dir_lock

    config = config_of(given)
    check_packages(config.tracing)
    tls_of(config.tls)  # says here what is wrong with its files, and not again and again in a child
    with state_dir_lock(config.state_dir):
        listener = listen(config.server.host, config.server.port)
        with told_in_one_line():
            upgrade(config.database_url)
            check(config.database_url, seen.load(config.state_dir))
            config = with_access_decided(config, listener)
        host, port = listener.getsockname()[:2]
        line = f"serving on {scheme(config)}://{host}:{port}, state in {config.state_dir}"
        return run_all(config, listener, stop_engines=stop_engines, started=lambda: click.echo(line, err=True))


@cli.command()
@options(COMMON, _LISTEN)
def api(**given: Any) -> int:
    """Start the REST API alone."""
    from server.api.bind import with_access_decided
    from server.api.listener import listen
    from server.api.main import run

    config = _process_config("api", given)
    listener = listen(config.server.host, config.server.port)
    with told_in_one_line():
        config = with_access_decided(config, listener)
    return run(config, listener, None)


@cli.command()
@options(COMMON, _FLOWS, _STOP_ENGINES)
def runner(stop_engines: bool, **given: Any) -> int:
    """Start a runner alone; a second one on the same database waits for its turn to lead."""
    from server.runner.main import run

    config = _process_config("runner", given)
    return run(config, None, keep_engines=not stop_engines)


@cli.command(name="api-doc")
def api_doc() -> int:
    """Print docs/api.md."""
    from server.api.docs_markdown import markdown
    from server.api.endpoints import document

    click.echo(markdown(document()), nl=False)
    return 0


@cli.command(name="metrics-doc")
def metrics_doc() -> int:
    """Print docs/metrics.md."""
    from server.metrics.docs import markdown

    click.echo(markdown(), nl=False)
    return 0


def _process_config(what: str, given: dict[str, Any]) -> Config:
    from server.process import set_title

    config = config_of(given)
    check_packages(config.tracing)
    try:
        config.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StartError(f"state directory {config.state_dir} cannot be used: {error.strerror}") from error
    set_title(what, config.state_dir)
    return config


def main() -> None:
    try:
        code = cli.main(standalone_mode=False)
    except StartError as error:
        click.echo(f"modelbox-server: {error}", err=True)
        code = START_ERROR_EXIT
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except click.Abort:
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    main()
