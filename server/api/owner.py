"""Which process works on a request, as text that another one can check: does it still live?"""

import os
import socket
from datetime import datetime, timedelta

import msgspec

from server.engines.identity import boot_id, start_time_of


class Owner(msgspec.Struct, frozen=True, array_like=True):
    """A pid means something only within its machine, boot and pid namespace, and for one start time."""

    host: str
    boot_id: str
    pid_namespace: str
    pid: int
    start_time: int

    @property
    def text(self) -> str:
        return msgspec.json.encode(self).decode()

    def is_gone(self, text: str, begun_at: datetime, now: datetime, trusted: timedelta) -> bool:
        """Whether the process that `text` names is known to be gone. One of another machine, of which nothing can
        be seen, counts as gone when it has worked for longer than `trusted`."""
        other = msgspec.json.decode(text, type=Owner)
        if other.host == self.host and other.boot_id != self.boot_id:
            return True
        if (other.host, other.pid_namespace) == (self.host, self.pid_namespace):
            return start_time_of(other.pid, living=True) != other.start_time
        return now - begun_at > trusted


def this_process() -> Owner:
    pid = os.getpid()
    return Owner(
        host=socket.gethostname(),
        boot_id=boot_id(),
        pid_namespace=os.readlink("/proc/self/ns/pid"),
        pid=pid,
        start_time=start_time_of(pid) or 0,
    )
