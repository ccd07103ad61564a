"""Ids and positions, each a type of its own, and the rule for job ids."""

import re
from hashlib import sha256
from typing import NewType

JobId = NewType("JobId", str)
Position = NewType("Position", int)
"""Place of an event in the log, from 1, without holes. 0 is before the first."""
Epoch = NewType("Epoch", int)
"""Number of a runner's leadership; each new leader's is higher."""
Digest = NewType("Digest", str)
"""SHA-256 in hex of a graph's format and source."""

_JOB_ID = re.compile(r"[0-9A-Za-z\-+~_][0-9A-Za-z\-+~_.]{1,63}")


def is_valid_job_id(text: str) -> bool:
    """ModelBox's rule for ids given over REST (spec 8.3): 2 to 64 characters, the first no dot."""
    return _JOB_ID.fullmatch(text) is not None


def digest_of(graph_format: str, source: str) -> Digest:
    return Digest(sha256(f"{graph_format}\n{source}".encode("utf-8", "surrogatepass")).hexdigest())
