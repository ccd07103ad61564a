"""`doctor` and `support-bundle`: what an installation is asked as a whole."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from server.cli_options import COMMON, config_of, options

_LISTEN = [
    click.option("--host", help="Address that the server is to listen on."),
    click.option("--port", type=int, help="Its TCP port."),
    click.option("--flow-path", help="Folder of flows that are jobs at boot."),
]
_COLOURS = {"ok": "green", "warning": "yellow", "problem": "red"}


@click.command()
@options(COMMON, _LISTEN)
@click.option("-o", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def doctor(form: str, **given: Any) -> int:
    """Examine this installation and say what to mend. Exit code 1 when there is a problem; warnings are none.

    Give it the options that `serve` gets. It changes nothing, and a server may run meanwhile.
    """
    import msgspec

    from server.doctor.examination import examine

    report = examine(config_of(given))
    if form == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(report), indent=2).decode())
        return 0 if report.healthy else 1
    for finding in report.findings:
        click.echo(
            f"{click.style(f'{finding.grade:<8}', fg=_COLOURS[finding.grade])} {finding.about}: {finding.found}"
        )
        if finding.mend:
            click.echo(f"         -> {finding.mend}")
    return 0 if report.healthy else 1


@click.command(name="support-bundle")
@options(COMMON, _LISTEN)
@click.argument("file", required=False, type=click.Path(path_type=Path))
def support_bundle(file: Path | None, **given: Any) -> int:
    """Write FILE (.tar.gz) with what helps others to help: versions, configuration, recent events, states of jobs,
    ends of logs, metrics, and what `doctor` says. Passwords and tokens that can be told as such are left out.

    A server may run meanwhile, or not.
    """
    from server.doctor.bundle import write_bundle

    target = file or Path(f"modelbox-support-{datetime.now(UTC):%Y%m%d-%H%M%S}.tar.gz")
    names = write_bundle(config_of(given), target)
    click.echo(f"{target}: {len(names)} files, {target.stat().st_size} bytes")
    click.echo("Look through it before you send it: what flows print is in it as they printed it.", err=True)
    return 0
