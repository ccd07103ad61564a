"""Whether the API may be served with the access and the TLS that are configured."""

from collections.abc import Iterator
from ipaddress import ip_address

from server.api.certificates import gives_roles
from server.api.tls import tls_of
from server.config import Config
from server.doctor.finding import Finding, ok, problem, warning
from server.errors import StartError
from server.store import StoreError
from server.store.tokens import all_tokens, valid_tokens


def examine(config: Config) -> Iterator[Finding]:
    has_tls = bool(config.tls.cert)
    try:
        tls_of(config.tls)
    except StartError as error:
        yield problem("tls", str(error), "see [tls] in the configuration")
    else:
        yield ok("tls", "certificate and key are readable and fit" if has_tls else "none: plain HTTP")
    if config.access.tokens == "open":
        yield ok("access", "open, as configured: everybody who gets there may do everything")
    elif config.access.tokens == "auto" and is_loopback(config.server.host):
        yield ok("access", f"no tokens are needed on {config.server.host}")
    else:
        yield _tokens(config)
    if not is_loopback(config.server.host) and not has_tls:
        yield warning(
            "access", f"{config.server.host} without TLS: what is sent can be read on the way", "see [tls]"
        )


def _tokens(config: Config) -> Finding:
    mend = "modelbox-server token create --role admin --name NAME"
    if gives_roles(config.tls.roles):
        return ok("access", "client certificates have roles, see [tls.roles]")
    try:
        valid = valid_tokens(config.database_url)
        known = all_tokens(config.database_url)
    except StoreError:
        return problem("access", "tokens are needed, and the database cannot be asked for them", "see: database")
    if valid:
        return ok("access", f"tokens are needed, {len(valid)} are valid")
    if known or config.access.tokens == "required":
        return warning("access", "tokens are needed, and none is valid: nobody is let in", mend)
    return problem(
        "access", f"{config.server.host} needs a token, and there is none: the server will not start", mend
    )


def is_loopback(host: str) -> bool:
    try:
        return ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host == "localhost"
