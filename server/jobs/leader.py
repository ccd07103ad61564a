"""Who leads."""

from datetime import datetime

import msgspec

from server.jobs.ids import Epoch


class Leader(msgspec.Struct, frozen=True):
    """The runner that leads: its machine, its process, its epoch, and since when."""

    host: str
    pid: int
    epoch: Epoch
    since: datetime
