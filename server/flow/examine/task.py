"""What is asked of the process that examines a graph, and what it answers."""

from enum import StrEnum

import msgspec

from server.flow.examine.verdict import Verdict
from server.flow.picture.svg import NO_MARKS, Marks
from server.flow.secrets import ALL_SECRETS, AllowedSecrets


class View(StrEnum):
    """What a graph is to be shown as."""

    PLAN = "plan"
    DOT = "dot"
    SVG = "svg"


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """A graph's text. With `plan`, the JSON that it was compiled to, nothing is examined. `marks`: for the SVG.
    `secrets`: what it may refer to."""

    source: str
    format: str
    plan: str | None = None
    view: View | None = None
    marks: Marks = NO_MARKS
    secrets: AllowedSecrets = ALL_SECRETS


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """`shown` is the view that was asked for, None when there is none: then `verdict` says why. A graph that is
    wrong has DOT and picture as far as it could be read."""

    verdict: Verdict
    shown: str | None = None
