"""The TLS options of HTTP units: `cert`, `key`, `passwd`, `key_pass` (spec 7.3)."""

import logging
import ssl
from dataclasses import dataclass, field

from server.flow.status import FlowError, StatusCode
from server.flow.unitapi import Configuration

BAD_CERTIFICATE = "certificate file is invalid."
BAD_KEY = "key file is invalid."
NOT_SET = "password not set"
log = logging.getLogger("server.flow")


@dataclass(frozen=True)
class Tls:
    """How an address speaks TLS. Equal when made from the same files."""

    cert: str
    key: str
    context: ssl.SSLContext = field(compare=False)


def tls_of(config: Configuration, endpoint: str, is_https: bool) -> Tls | None:
    """None for an http endpoint without `cert`. The files are read, so: not on the event loop.

    `passwd` is the password of the key file as it is. ModelBox wants it encrypted with a key of the machine, and
    `key_pass` to decrypt it; neither says anything about a key that has no password. So here `passwd` is needed
    for a key file that is encrypted and for no other, and `key_pass` is accepted and not needed.

    Raises: FlowError with the words of spec 7.3, then what is the matter.
    """
    cert, key = config.get_string("cert"), config.get_string("key")
    if not cert:
        if is_https:
            words = f"endpoint '{endpoint}' is https: set cert and key to PEM files"
            raise FlowError(StatusCode.BADCONF, BAD_CERTIFICATE, words)
        return None
    _check_readable(cert, BAD_CERTIFICATE, "cert")
    _check_readable(key, BAD_KEY, "key")
    context = _context(cert, key, config.get_string("passwd"))
    if not is_https:
        log.warning("endpoint '%s' is http, so its option cert is not used: write https to have TLS", endpoint)
        return None
    return Tls(cert, key, context)


def _check_readable(path: str, words: str, option: str) -> None:
    if not path:
        raise FlowError(StatusCode.BADCONF, words, f"option {option} is missing")
    try:
        with open(path, "rb") as file:
            file.read(1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise FlowError(StatusCode.BADCONF, words, f"option {option}: {path}: {reason}") from None


def _context(cert: str, key: str, password: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    _check_certificate(cert)
    asked = False

    def give_password() -> str:
        nonlocal asked
        asked = True
        return password

    try:
        context.load_cert_chain(cert, key, give_password)
    except (OSError, ValueError) as error:
        if asked and not password:
            words = f"{key} is encrypted: set passwd to its password"
            raise FlowError(StatusCode.BADCONF, NOT_SET, words) from None
        cause = "passwd does not open it" if asked else _reason(error)
        raise FlowError(StatusCode.BADCONF, BAD_KEY, f"{key}: {cause}") from None
    return context


def _check_certificate(cert: str) -> None:
    """By itself, so that a bad certificate is not blamed on the key."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cert)
    except (OSError, ValueError) as error:
        raise FlowError(StatusCode.BADCONF, BAD_CERTIFICATE, f"{cert}: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
        return "it is not the key of the certificate"
    return "it is not PEM that can be read"
