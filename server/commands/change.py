"""`job create` and `job delete`."""

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from server.commands.connect import complain, told
from server.commands.exits import Exit, exit_of
from server.commands.flow_files import FlowFile
from server.commands.output import under_way
from server.commands.text import printable
from server.jobs.words import JobStatus

if TYPE_CHECKING:
    from server.client import Client

GONE_SECONDS = 60.0
"""How long a job may go on DELETEING after the server answered, until that is told as a failure."""
LOOK_SECONDS = 0.2


def create(
    client: "Client",
    flow: FlowFile,
    options: Mapping[str, Any] | None,
    labels: Mapping[str, str] | None = None,
    *,
    stopped: bool = False,
    wait: bool,
) -> int:
    if labels:
        options = with_labels(flow.options if options is None else options, labels)
    if stopped:
        options = {**((flow.options if options is None else options) or {}), "initial_state": "stopped"}
    with under_way(f"creating {flow.job_id}"):
        word = create_job(client, flow, options, wait=wait)
    click.echo(f"{flow.job_id} {word}")
    return Exit.WRONG if word is JobStatus.FAILED else Exit.OK


def with_labels(options: Mapping[str, Any] | None, labels: Mapping[str, str]) -> dict[str, Any]:
    """The options, with these labels beside those that are in them; of the same name, these count."""
    before = (options or {}).get("labels")
    if before is not None and not isinstance(before, Mapping):
        return dict(options or {})  # the server says what is wrong with it
    return {**(options or {}), "labels": {**(before or {}), **labels}}


def create_job(
    client: "Client", flow: FlowFile, options: Mapping[str, Any] | None = None, *, wait: bool
) -> JobStatus:
    """Its status then. Raises: ClientError."""
    client.create(
        flow.job_id,
        flow.source,
        graph_format=flow.graph_format,
        options=flow.options if options is None else options,
        wait=wait,
    )
    return client.status(flow.job_id).job_status


def change_job(client: "Client", flow: FlowFile, options: Mapping[str, Any]) -> JobStatus:
    """Gives a job what a file says, `options` merged into its own; its status then. Raises: ClientError."""
    body = client.change(flow.job_id, graph=flow.source, graph_format=flow.graph_format, options=options or None)
    return body.job_status


def delete(
    client: "Client",
    job_ids: Sequence[str],
    *,
    grace: float | None = None,
    wait: bool,
    if_match: str | None = None,
) -> int:
    """Goes on with the others when one cannot be deleted; the exit code is the first failure's."""
    from server.client import ApiError

    code = Exit.OK
    for job_id in job_ids:
        try:
            with under_way(f"deleting {job_id}"):
                if wait:
                    gone = delete_job(client, job_id, grace=grace, if_match=if_match)
                else:
                    gone = client.delete(job_id, grace=grace, wait=False, if_match=if_match)
        except ApiError as error:
            complain(f"{job_id}: {told(error)}")
            code = code or exit_of(error)
            continue
        click.echo(f"{printable(job_id)} {'deleted' if gone else JobStatus.DELETEING}")
        if wait and not gone:
            code = code or Exit.WRONG
    return code


def delete_job(client: "Client", job_id: str, *, grace: float | None = None, if_match: str | None = None) -> bool:
    """Whether it is gone. Raises: ClientError."""
    from server.client import NoSuchJob

    gone = client.delete(job_id, grace=grace, if_match=if_match)
    deadline = time.monotonic() + GONE_SECONDS
    while not gone and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
        try:
            gone = client.status(job_id).job_status is not JobStatus.DELETEING
        except NoSuchJob:
            gone = True
    return gone
