"""Tokens and clients that use them, for tests."""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime

import httpx

from server.jobs.access import Role, Token, id_in, new_token_text, sha256_of
from server.store.tokens import add_token, revoke_token
from tests.installation import Installation

TOKEN = re.compile(r"mbx_[A-Za-z0-9]{8}_[A-Za-z0-9]{40}")
REQUIRED = {"MODELBOX_ACCESS_TOKENS": "required"}


def make_token(
    server: Installation,
    name: str,
    role: str,
    scope: dict[str, str] | None = None,
    expires: datetime | None = None,
) -> str:
    """As the command does, and quicker."""
    text = new_token_text()
    token = Token(
        id=id_in(text) or "",
        name=name,
        role=Role(role),
        scope=scope or {},
        sha256=sha256_of(text),
        created_at=datetime.now(UTC),
        expires_at=expires,
    )
    add_token(url_of(server), token)
    return text


def revoke(server: Installation, name: str) -> None:
    revoke_token(url_of(server), name)


def url_of(server: Installation) -> str:
    return server.database_url or f"sqlite:///{server.state_dir / 'modelbox.db'}"


def make_token_by_command(server: Installation, name: str, role: str, *more: str) -> str:
    made = server.run("token", "create", "--name", name, "--role", role, *more)
    assert made.returncode == 0, made.stderr
    token = made.stdout.strip()
    assert TOKEN.fullmatch(token)
    return token


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def client_of(server: Installation, token: str) -> httpx.Client:
    return httpx.Client(
        base_url=f"http://127.0.0.1:{server.port}", headers=bearer(token), timeout=30, trust_env=False
    )


def until(holds: Callable[[], bool], timeout: float = 20) -> None:
    deadline = time.monotonic() + timeout
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def error_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error_code"]


def until_over(at: datetime) -> None:
    time.sleep(max((at - datetime.now(at.tzinfo)).total_seconds(), 0) + 0.01)
