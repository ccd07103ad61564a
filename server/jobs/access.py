"""Who may do what: roles, tokens, and label scopes. Pure."""

import hmac
import re
import secrets
import string
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Literal

import msgspec

PREFIX = "mbx_"
"""Has programs that look for secrets in files find our tokens."""
ID_LETTERS = 8
SECRET_LETTERS = 40
"""238 bits: nothing that can be guessed, so a quick hash is as good as a slow one."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")
_FORM = re.compile(f"{PREFIX}([A-Za-z0-9]{{{ID_LETTERS}}})_[A-Za-z0-9]{{{SECRET_LETTERS}}}")
_LETTERS = string.ascii_letters + string.digits

Labels = Mapping[str, str]
EVERYTHING: Labels = {}
"""The scope of who is not limited to jobs with certain labels."""


class Role(StrEnum):
    """Each may do all that the one before it may."""

    READ = "read"
    OPERATE = "operate"
    ADMIN = "admin"

    def includes(self, other: "Role") -> bool:
        order = list(Role)
        return order.index(self) >= order.index(other)


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a token. `id` is its public part, `scope` the labels that a job must have to exist for it;
    `sha256` is that of the whole token. Times are None for never and not yet."""

    id: str
    name: str
    role: Role
    scope: dict[str, str]
    sha256: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    @property
    def shown(self) -> str:
        """By which its owner recognises it."""
        return f"{PREFIX}{self.id}_…"

    def is_of(self, text: str) -> bool:
        # in constant time, though of a hash nothing could be made that has the same beginning
        return hmac.compare_digest(self.sha256, sha256_of(text))

    def has_expired(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now

    def state(self, now: datetime) -> Literal["valid", "expired", "revoked"]:
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.has_expired(now) else "valid"


def new_token_text() -> str:
    """A token, to be shown once and never kept."""
    return f"{PREFIX}{_random(ID_LETTERS)}_{_random(SECRET_LETTERS)}"


def id_in(text: str) -> str | None:
    """The public part of what may be a token; None when it has not the form of one."""
    found = _FORM.fullmatch(text)
    return None if found is None else found[1]


def sha256_of(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def covers(scope: Labels, labels: Labels) -> bool:
    """Whether a job with these labels exists for who has that scope."""
    return all(labels.get(name) == value for name, value in scope.items())


def scope_text(scope: Labels) -> str:
    return ",".join(f"{name}={value}" for name, value in sorted(scope.items()))


def _random(letters: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(letters))
