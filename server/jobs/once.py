"""A request that is to be carried out once, however often it is sent."""

from datetime import datetime

import msgspec

Name = tuple[str, str]
"""Who sent it, and the key that they gave it."""


class Once(msgspec.Struct, frozen=True, kw_only=True):
    """`client` and `key` name it, `fingerprint` is the same for the same request only. `owner` is the process that
    works on it; `takes_over` another one, known to be gone, that may have begun it. `keep_seconds`: for how long
    what came of it is remembered."""

    client: str
    key: str
    fingerprint: str
    owner: str
    keep_seconds: float
    takes_over: str = ""

    @property
    def name(self) -> Name:
        return self.client, self.key


class KeptAnswer(msgspec.Struct, frozen=True):
    """What a request was answered. `headers` are those that not every answer has."""

    status: int
    headers: dict[str, str]
    body: str


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of a request: who has worked on it since when, the job as the command left it, in JSON
    (None: it was refused), and its answer once there is one."""

    fingerprint: str
    owner: str
    begun_at: datetime
    expires_at: datetime
    job: str | None = None
    answer: KeptAnswer | None = None


class AlreadyAnswered(Exception):
    """The request was carried out and answered before."""

    def __init__(self, answer: KeptAnswer) -> None:
        super().__init__("already answered")
        self.answer = answer
