"""Whether tokens are required at an address, and whether a server may listen there at all."""

import socket
from ipaddress import IPv6Address, ip_address

import msgspec
import structlog

from server.api.certificates import gives_roles
from server.config import AccessSection, Config
from server.errors import StartError
from server.store.tokens import all_tokens, valid_tokens

log = structlog.get_logger()


def with_access_decided(config: Config, listener: socket.socket) -> Config:
    """The configuration with `access.tokens` required or open. Asks the database, which has the current schema.

    Raises: StartError, when the address is not this machine's own and nobody has said who may come in there;
    StoreUnavailable.
    """
    mode = config.access.tokens
    if mode == "auto":
        mode = "open" if _is_loopback(listener) else "required"
        if mode == "required" and not _somebody_may_come_in(config):
            raise StartError(_refusal(listener))
    if mode == "required" and not gives_roles(config.tls.roles) and not valid_tokens(config.database_url):
        log.warning("nobody can be let in yet: there is no valid token; see `modelbox-server token create`")
    if not _is_loopback(listener) and not config.tls.cert:
        what = "tokens are sent in the clear" if mode == "required" else "everybody who gets there is let in"
        log.warning(f"the API listens beyond this machine without TLS: {what}", address=_shown(listener))
    return msgspec.structs.replace(config, access=AccessSection(tokens=mode))


def scheme(config: Config) -> str:
    return "https" if config.tls.cert else "http"


def _somebody_may_come_in(config: Config) -> bool:
    # a token that is revoked or has expired shows that somebody has thought of access; and jobs must come back
    return gives_roles(config.tls.roles) or bool(all_tokens(config.database_url))


def _refusal(listener: socket.socket) -> str:
    return (
        f"{_shown(listener)} can be reached from other machines, and there is no token yet. Make one:"
        " `modelbox-server token create --role admin --name NAME`, with the same --conf, --state-dir and"
        ' --database-url. Or let everybody in: --open, or tokens = "open" under [access]'
    )


def _is_loopback(listener: socket.socket) -> bool:
    address = ip_address(listener.getsockname()[0].partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def _shown(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"{host}:{port}"
