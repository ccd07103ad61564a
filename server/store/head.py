"""The log's head: its one row says where the log ends, who leads, and what the log adds up to."""

from collections.abc import Sequence
from typing import Any

import msgspec

from server.jobs.ids import Epoch, Position
from server.store.checksums import BEGINNING, Checksum


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """`position` of the last event, 0 in an empty log, and its `checksum`. `epoch` is the newest leader's. `fence`
    is the epoch at which a lost part of the log was given up (a backup was restored), 0 when that never
    happened: an engine of an older epoch that the log does not know belongs to the lost part. `left_out`:
    how many changes of jobs were ever left out of the log. `jobs` is the number of live jobs."""

    position: Position
    epoch: Epoch
    fence: Epoch
    left_out: int
    jobs: int
    checksum: Checksum


EMPTY = Head(position=Position(0), epoch=Epoch(0), fence=Epoch(0), left_out=0, jobs=0, checksum=BEGINNING)
"""Of a new log."""


def head_of(row: Sequence[Any]) -> Head:
    """The head from a row with the columns of `log_head`, in their order."""
    _id, position, epoch, fence, left_out, jobs, checksum = row
    return Head(
        position=Position(position),
        epoch=Epoch(epoch),
        fence=Epoch(fence),
        left_out=left_out,
        jobs=jobs,
        checksum=Checksum(checksum),
    )
