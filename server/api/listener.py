"""The API's listening socket."""

import socket

from server.errors import StartError

BACKLOG = 1024


def listen(host: str, port: int) -> socket.socket:
    """Raises: StartError, which names the address and the reason."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise StartError(
            f"cannot listen on {host}:{port}: {reason}; choose another with --host and --port"
        ) from error
