"""TLS of the API: its certificate, whom it lets in by theirs, and new files without a restart."""

import asyncio
import os
import ssl
from typing import Any

import structlog

from server.api.certificates import gives_roles
from server.config import TlsSection
from server.errors import StartError

log = structlog.get_logger()

LOOK_SECONDS = 0.5
"""Between two looks at the files."""

Seen = tuple[tuple[int, int, int] | None, ...]
"""What tells one state of the files from another."""


class Tls:
    """Give `context` to the listening server, and run `run()` in a task of its own."""

    def __init__(self, files: TlsSection) -> None:
        """Raises: StartError, which names the file and what is wrong with it."""
        self._files = files
        self._seen = self._look()
        self.context = self._current = context_of(files)
        # each handshake is given the newest: loading new files into a context that is in use would leave in it the
        # CAs that are not in them any more
        self.context.sni_callback = self._use_current

    async def run(self) -> None:
        changed_at: Seen | None = None
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            seen = self._look()
            if seen == self._seen:
                continue
            if seen != changed_at:
                changed_at = seen  # somebody may be about to write the next file
                continue
            self._seen = seen
            self._renew()

    def _renew(self) -> None:
        try:
            self._current = context_of(self._files)
        except StartError as error:
            log.error("TLS goes on with the files as they were", reason=str(error))
        else:
            log.info("TLS files renewed", cert=self._files.cert)

    def _use_current(self, connection: Any, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = self._current

    def _look(self) -> Seen:
        return tuple(
            _state_of(path) for path in (self._files.cert, self._files.key, self._files.client_ca) if path
        )


def tls_of(files: TlsSection) -> Tls | None:
    """None for plain HTTP. Raises: StartError."""
    if gives_roles(files.roles) and not files.client_ca:
        raise StartError(
            "tls.roles names clients by their certificates, and tls.client_ca is not set: whose are good?"
        )
    if not files.cert:
        for name in ("key", "client_ca"):
            if getattr(files, name):
                raise StartError(f"tls.{name} is set, and tls.cert is not: set both, or neither for plain HTTP")
        return None
    return Tls(files)


def context_of(files: TlsSection) -> ssl.SSLContext:
    """Raises: StartError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if not files.key:
        raise StartError("tls.cert is set, and tls.key is not: set it to the PEM file with its key")
    _check_readable("cert", files.cert)
    _check_readable("key", files.key)
    try:
        context.load_cert_chain(files.cert, files.key, _no_password)
    except (OSError, ValueError) as error:
        raise StartError(f"tls.cert {files.cert}, tls.key {files.key}: {_reason(error)}") from error
    if files.client_ca:
        _require_certificates(context, files.client_ca)
    return context


def _require_certificates(context: ssl.SSLContext, client_ca: str) -> None:
    _check_readable("client_ca", client_ca)
    try:
        context.load_verify_locations(client_ca)
    except (OSError, ValueError) as error:
        raise StartError(f"tls.client_ca {client_ca}: it holds no certificate in PEM") from error
    context.verify_mode = ssl.CERT_REQUIRED
    # a session that is taken up again would not have its certificate checked again
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0


def _check_readable(key: str, path: str) -> None:
    try:
        with open(path, "rb") as file:
            file.read(1)
    except (OSError, ValueError) as error:
        raise StartError(
            f"tls.{key} {path}: cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from error


def _no_password() -> str:
    raise ValueError("the key has a password; the server needs one without, readable by its user only")


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        is_other = error.reason == "KEY_VALUES_MISMATCH"
        return (
            "the key is not that of the certificate"
            if is_other
            else "they are not a certificate and its key in PEM"
        )
    return str(error)


def _state_of(path: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
