"""The address allow list."""

from collections.abc import Callable
from ipaddress import ip_address

from sanic import HTTPResponse, Request

from server.api.answers import error_answer
from server.config import Network
from server.jobs.errors import InvalidCommand


def only_from(networks: tuple[Network, ...]) -> Callable[[Request], HTTPResponse | None]:
    """Sanic middleware that answers 403 to peers outside `networks`."""

    def check(request: Request) -> HTTPResponse | None:
        address = ip_address(request.ip)
        mapped = getattr(address, "ipv4_mapped", None)
        if any((mapped or address) in network for network in networks):
            return None
        return error_answer(403, InvalidCommand.code, f"access denied for {address}: not in acl.allow")

    return check
