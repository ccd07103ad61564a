"""How both clients connect."""

import ssl
from typing import Any, TypedDict

import httpx

from server.client.calls import Call
from server.client.errors import SettingsError
from server.client.settings import Settings

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 60.0
"""More than a server waits for the outcome of a command by default."""


class _Options(TypedDict):
    base_url: str
    headers: dict[str, str]
    timeout: httpx.Timeout
    trust_env: bool
    verify: ssl.SSLContext | bool


def options(settings: Settings, timeout: float) -> _Options:
    """Raises: SettingsError."""
    headers = {"User-Agent": "modelbox-server-client"}
    if settings.token:
        headers["Authorization"] = f"Bearer {settings.token}"
    return {
        "base_url": settings.url,
        "headers": headers,
        "timeout": httpx.Timeout(timeout, connect=min(timeout, CONNECT_SECONDS)),
        # a proxy that the environment names does not lead to this machine
        "trust_env": not settings.is_local,
        "verify": _tls(settings),
    }


def _tls(settings: Settings) -> ssl.SSLContext | bool:
    """Whom to trust and what to show: what httpx does by itself, unless files are named. Where nothing is
    encrypted, nobody: to read the machine's authorities takes longer than most commands."""
    if not (settings.ca_cert or settings.client_cert):
        if settings.client_key:
            raise SettingsError("a client key is of no use without a client certificate")
        return not settings.url.startswith("http://")
    try:
        context = ssl.create_default_context(cafile=settings.ca_cert or None)
    except (OSError, ValueError) as error:
        raise SettingsError(f"CA certificate {settings.ca_cert}: {_reason(error)}") from error
    if settings.client_cert:
        try:
            context.load_cert_chain(settings.client_cert, settings.client_key or None)
        except (OSError, ValueError) as error:
            files = " and ".join(filter(None, (settings.client_cert, settings.client_key)))
            raise SettingsError(f"client certificate {files}: {_reason(error)}") from error
    return context


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return "this is not what it should be, in PEM, or the key is that of another certificate"
    return str(getattr(error, "strerror", None) or error)


def request(http: "httpx.Client | httpx.AsyncClient", call: Call[Any]) -> httpx.Request:
    return http.build_request(
        call.method,
        call.path,
        params=call.params,
        headers=call.headers,
        content=call.content,
        timeout=_longer(http.timeout, call.extra_seconds),
    )


def _longer(timeout: httpx.Timeout, seconds: float) -> httpx.Timeout:
    return timeout if timeout.read is None else with_read(timeout, timeout.read + seconds)


def with_read(timeout: httpx.Timeout, seconds: float | None) -> httpx.Timeout:
    return httpx.Timeout(connect=timeout.connect, read=seconds, write=timeout.write, pool=timeout.pool)
