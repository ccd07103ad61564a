"""What a client's certificate says of who it is. TLS has checked it against `tls.client_ca`."""

from collections.abc import Iterator
from typing import Any

from sanic import Request

from server.config import TlsRoles
from server.jobs.access import Role

EVERY_NAME = "*"
MOST_LETTERS = 100
_ALTERNATIVES = ("DNS", "email", "URI", "IP Address")


def names_in(request: Request) -> tuple[str, ...]:
    """The names in the certificate of the request's connection, the CN first; none without a certificate."""
    connection = request.conn_info
    if connection is None or not connection.ssl:
        return ()
    if not hasattr(connection.ctx, "names"):
        assert request.transport is not None
        tls = request.transport.get_extra_info("ssl_object")
        connection.ctx.names = tuple(_names(tls.getpeercert() or {}))
    names: tuple[str, ...] = connection.ctx.names
    return names


def role_of(names: tuple[str, ...], roles: TlsRoles) -> Role | None:
    """The highest that the configuration gives to one of the names."""
    known = {*names, EVERY_NAME} if names else set()
    for role in reversed(Role):
        if known & set(getattr(roles, role.value)):
            return role
    return None


def gives_roles(roles: TlsRoles) -> bool:
    return bool(roles.read or roles.operate or roles.admin)


def shown_name(name: str) -> str:
    """As it may stand in events and messages."""
    return "".join(letter if letter.isprintable() else "?" for letter in name[:MOST_LETTERS])


def _names(certificate: dict[str, Any]) -> Iterator[str]:
    for part in certificate.get("subject", ()):
        for key, value in part:
            if key == "commonName":
                yield value
    for key, value in certificate.get("subjectAltName", ()):
        if key in _ALTERNATIVES:
            yield value
