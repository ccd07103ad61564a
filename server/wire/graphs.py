"""The forms in which the API gives a job's graph."""

from enum import StrEnum


class GraphFormat(StrEnum):
    SOURCE = "source"
    PLAN = "plan"
    DOT = "dot"
    SVG = "svg"
