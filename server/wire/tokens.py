"""Tokens, as they are shown."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from server.jobs.access import Role, Token


class TokenRow(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a token; the token itself is not."""

    name: Annotated[str, Meta(description="as in the history of jobs: token:NAME@ADDRESS")]
    token: Annotated[str, Meta(description="how it begins")]
    role: Role
    labels: Annotated[dict[str, str], Meta(description="that a job must have to exist for it; none: all jobs do")]
    state: Literal["valid", "expired", "revoked"]
    created: datetime
    expires: datetime | None
    revoked: datetime | None

    @classmethod
    def of(cls, token: Token, now: datetime) -> "TokenRow":
        return cls(
            name=token.name,
            token=token.shown,
            role=token.role,
            labels=token.scope,
            state=token.state(now),
            created=token.created_at,
            expires=token.expires_at,
            revoked=token.revoked_at,
        )


class Tokens(msgspec.Struct, frozen=True):
    """All tokens, the oldest first."""

    tokens: list[TokenRow]
