"""How both clients connect."""

from typing import Any, TypedDict

import httpx

from server.client.calls import Call
from server.client.settings import Settings

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 60.0
"""More than a server waits for the outcome of a command by default."""


class _Options(TypedDict):
    base_url: str
    headers: dict[str, str]
    timeout: httpx.Timeout
    trust_env: bool


def options(settings: Settings, timeout: float) -> _Options:
    headers = {"User-Agent": "modelbox-server-client"}
    if settings.token:
        headers["Authorization"] = f"Bearer {settings.token}"
    return {
        "base_url": settings.url,
        "headers": headers,
        "timeout": httpx.Timeout(timeout, connect=min(timeout, CONNECT_SECONDS)),
        # a proxy that the environment names does not lead to this machine
        "trust_env": not settings.is_local,
    }


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
