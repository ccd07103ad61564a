"""What a shell completes: job ids, asked of the server."""

from server.commands.connect import Where, leave_out_httpx_commands, settings_of

SECONDS = 1.0
MOST = 100


def job_ids(where: Where, begin: str) -> list[str]:
    """None when the server does not say at once."""
    leave_out_httpx_commands()
    from server.client import NO_RETRIES, Client, ClientError

    try:
        settings = settings_of(where)
        with Client(settings, timeout=SECONDS, retries=NO_RETRIES) as client:
            page = client.job_page(text=begin, sort="job_id", fields=["job_id"], limit=MOST)
    except ClientError:
        return []
    return [str(row.job_id) for row in page.jobs if str(row.job_id).startswith(begin)]
