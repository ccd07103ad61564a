"""The address allow list."""

from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from sanic import HTTPResponse, Request

from server.api.answers import error_answer
from server.errors import StartError
from server.jobs.errors import InvalidCommand


def parse_networks(allow: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    """Raises: StartError, which names the entry that is neither an address nor a network."""
    try:
        return tuple(ip_network(entry, strict=False) for entry in allow)
    except ValueError as error:
        raise StartError(f"acl.allow: {error}; give addresses or networks such as 10.0.0.0/8") from error


def only_from(allow: tuple[str, ...]) -> Callable[[Request], HTTPResponse | None]:
    """Sanic middleware that answers 403 to peers outside `allow`."""
    networks = parse_networks(allow)

    def check(request: Request) -> HTTPResponse | None:
        address = ip_address(request.ip)
        mapped = getattr(address, "ipv4_mapped", None)
        if any((mapped or address) in network for network in networks):
            return None
        return error_answer(403, InvalidCommand.code, f"access denied for {address}: not in acl.allow")

    return check
