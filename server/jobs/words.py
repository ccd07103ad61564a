"""The words for a job's state: what we want, what is, how it ended, and ModelBox's word for all three."""

from enum import StrEnum


class Desired(StrEnum):
    """What the commands ask for."""

    RUNNING = "running"
    STOPPED = "stopped"
    DELETED = "deleted"


class Actual(StrEnum):
    """What is known of the job's engine.

    none ──► starting ──► ready ◄──► unreachable
      ▲          │          │             │
      └──────────┴──────────┴─────────────┘
    """

    NONE = "none"
    STARTING = "starting"
    READY = "ready"
    UNREACHABLE = "unreachable"


class Outcome(StrEnum):
    """How a job ended for good; OPEN while it has not."""

    OPEN = "open"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class JobStatus(StrEnum):
    """ModelBox's words, in ModelBox's spelling (spec 8.3)."""

    PENDING = "PENDING"
    CREATEING = "CREATEING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    DELETEING = "DELETEING"
    UNKNOWN = "UNKNOWN"
    NOTEXIST = "NOTEXIST"


def status_word(desired: Desired, actual: Actual, outcome: Outcome) -> JobStatus:
    """The word on the wire for a job in this state."""
    if desired is Desired.DELETED:
        return JobStatus.DELETEING
    if outcome is Outcome.SUCCEEDED:
        return JobStatus.SUCCEEDED
    if outcome is Outcome.FAILED:
        return JobStatus.FAILED
    return {
        Actual.NONE: JobStatus.PENDING,
        Actual.STARTING: JobStatus.CREATEING,
        Actual.READY: JobStatus.RUNNING,
        Actual.UNREACHABLE: JobStatus.UNKNOWN,
    }[actual]
