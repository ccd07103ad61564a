"""`job graph`."""

import sys
from typing import TYPE_CHECKING

import click

from server.commands.text import printable
from server.wire.graphs import GraphFormat

if TYPE_CHECKING:
    from server.client import Client


def graph(client: "Client", job_id: str, graph_format: GraphFormat) -> int:
    """Byte by byte as the server gives it, except on a terminal, which is shown nothing that it would obey."""
    content = client.graph(job_id, graph_format)
    if sys.stdout.isatty():
        for line in content.decode("utf-8", "replace").splitlines():
            click.echo(printable(line))
        return 0
    click.echo(content, nl=False)
    return 0
