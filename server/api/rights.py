"""What an endpoint needs of who uses it. What is not said is not open: see `default_need`."""

from enum import StrEnum

import msgspec

from server.jobs.access import Role

IN_DESCRIPTION = "x-label-scope"
"""In an operation of the description: what it is to a token with a label scope."""


class Right(StrEnum):
    OPEN = "open"
    READ = "read"
    OPERATE = "operate"
    ADMIN = "admin"

    @property
    def role(self) -> Role | None:
        return None if self is Right.OPEN else Role(self)


class Scoped(StrEnum):
    """What an endpoint is to a token with a label scope."""

    JOB = "the job must be in the scope, else 404"
    FILTERED = "tells of jobs in the scope only"
    LABELS = "the job's labels must be in the scope, else 403"
    NO_JOBS = "tells of no job"
    CLOSED = "403: it is about all jobs"


class Need(msgspec.Struct, frozen=True):
    right: Right
    scoped: Scoped


def default_need(method: str, path: str) -> Need:
    right = Right.READ if method in ("GET", "HEAD") else Right.OPERATE
    return Need(right, Scoped.JOB if "{job_id}" in path else Scoped.CLOSED)


def need(method: str, path: str, right: Right | None = None, scoped: Scoped | None = None) -> Need:
    """The default, but for what is given."""
    default = default_need(method, path)
    return Need(right or default.right, scoped or default.scoped)
