"""What the doctor says of one thing."""

from enum import StrEnum

import msgspec


class Grade(StrEnum):
    OK = "ok"
    WARNING = "warning"
    """Works, and may surprise somebody."""
    PROBLEM = "problem"
    """Does not work, or will not after the next start."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """`mend`: what to do about it, "" when there is nothing to do."""

    about: str
    grade: Grade = Grade.OK
    found: str
    mend: str = ""


def ok(about: str, found: str) -> Finding:
    return Finding(about=about, found=found)


def warning(about: str, found: str, mend: str) -> Finding:
    return Finding(about=about, grade=Grade.WARNING, found=found, mend=mend)


def problem(about: str, found: str, mend: str) -> Finding:
    return Finding(about=about, grade=Grade.PROBLEM, found=found, mend=mend)
