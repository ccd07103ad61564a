"""The listening sockets of the engine host, and which job has a claim on what.

Claims belong to jobs and outlive their engines, so that connections made while an engine is being replaced wait in
the backlog. A socket is closed when its last claim is released.
"""

import json
import socket
from collections.abc import Collection
from dataclasses import dataclass, field

from server.engines.protocol import ClaimedEndpoint
from server.engines.rundir import RunDir, key_of, write_atomically

_BACKLOG = 1024

Address = tuple[str, int]


class ClaimRefused(Exception):
    """The endpoint cannot be had."""


class AddressInUse(ClaimRefused):
    """Another socket, of this program or of a stranger, is bound there."""


@dataclass
class _Listener:
    socket: socket.socket
    owners: dict[str, str] = field(default_factory=dict)
    """path -> job id"""
    tls: bool = False


class Claims:
    def __init__(self, run_dir: RunDir) -> None:
        self._run_dir = run_dir
        self._listeners: dict[Address, _Listener] = {}

    def claim(self, job_id: str, endpoint: ClaimedEndpoint) -> socket.socket:
        """The socket for that endpoint, bound now or before. The same claim again gets the same socket.

        Raises: ClaimRefused.
        """
        address = (endpoint.address, endpoint.port)
        listener = self._listeners.get(address)
        if listener is None:
            listener = _Listener(_bind(*address))
            self._listeners[listener.socket.getsockname()[:2]] = listener
        _check_tls(job_id, endpoint, listener)
        listener.tls = endpoint.tls
        path = normal_path(endpoint.path)
        owner = listener.owners.setdefault(path, job_id)
        if owner != job_id:
            url = f"{endpoint.host}:{endpoint.port}{path}"
            raise ClaimRefused(f"{url} is already served by job {owner}; choose another port or path")
        self._publish(listener)
        return listener.socket

    def restore(self, job_id: str, endpoint: ClaimedEndpoint, descriptor: int) -> None:
        """Takes over a claim and its socket (owned from here on) from an engine that outlived an earlier host."""
        received = socket.socket(fileno=descriptor)
        received.setblocking(False)
        address = received.getsockname()[:2]
        listener = self._listeners.get(address)
        if listener is None:
            listener = self._listeners[address] = _Listener(received)
        else:
            # engines that share an address hand over copies of one socket: one is enough
            received.close()
        listener.owners.setdefault(normal_path(endpoint.path), job_id)
        listener.tls = endpoint.tls
        self._publish(listener)

    def release(self, job_id: str) -> None:
        self.retain(job_id, ())

    def retain(self, job_id: str, endpoints: Collection[ClaimedEndpoint]) -> None:
        """Gives up what the job has claimed beside these."""
        needed = {(endpoint.address, endpoint.port, normal_path(endpoint.path)) for endpoint in endpoints}
        for address, listener in list(self._listeners.items()):
            kept = {
                path: owner
                for path, owner in listener.owners.items()
                if owner != job_id or (*address, path) in needed
            }
            if len(kept) == len(listener.owners):
                continue
            listener.owners = kept
            if kept:
                self._publish(listener)
                continue
            del self._listeners[address]
            self._run_dir.routing_table(*address).unlink(missing_ok=True)
            listener.socket.close()

    def _publish(self, listener: _Listener) -> None:
        host, port = listener.socket.getsockname()[:2]
        routes = [{"path": path, "job": job, "key": key_of(job)} for path, job in sorted(listener.owners.items())]
        write_atomically(self._run_dir.routing_table(host, port), json.dumps(routes).encode())

    def close(self) -> None:
        """Closes this process's copies; the sockets of running engines stay open in those."""
        for listener in self._listeners.values():
            listener.socket.close()
        self._listeners.clear()


def _check_tls(job_id: str, endpoint: ClaimedEndpoint, listener: _Listener) -> None:
    """Two jobs share an address by handing connections over, which is not possible once TLS has begun.

    Raises: ClaimRefused, when the address would be shared, or would speak http and https.
    """
    others = sorted({owner for owner in listener.owners.values() if owner != job_id})
    where = f"{endpoint.host}:{endpoint.port}"
    if others and (listener.tls or endpoint.tls):
        theirs = "https" if listener.tls else "http"
        mine = "https" if endpoint.tls else "http"
        raise ClaimRefused(
            f"cannot serve {mine} on {where}: job {others[0]} serves {theirs} there, and an address with https "
            "is one job's alone; choose another port"
        )
    if listener.owners and listener.tls != endpoint.tls:
        raise ClaimRefused(f"cannot serve http and https on one address, {where}; choose another port")


def _bind(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((address, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        kind = AddressInUse if isinstance(error, OSError) and error.errno == 98 else ClaimRefused
        raise kind(f"cannot listen on {address}:{port}: {error.strerror}") from error
    except OverflowError as error:
        listener.close()
        raise ClaimRefused(f"cannot listen on {address}:{port}: {error}") from error
    return listener


def normal_path(path: str) -> str:
    """ "" takes everything; "/a/" and "/a" are the same prefix."""
    return path.rstrip("/")


def covers(prefix: str, path: str) -> bool:
    """Whether a request for `path` is under `prefix` (a normal path), in whole segments."""
    return path.startswith(prefix) and (not prefix or len(path) == len(prefix) or path[len(prefix)] == "/")
