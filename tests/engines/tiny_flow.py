"""A runtime for engine tests: a "graph" is a JSON map of strings that says how to behave and misbehave."""

import asyncio
import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from typing import Any

from server.flow.counters import NodeCounters, Stall
from server.flow.limits import FlowLimits
from server.flow.listeners import Endpoint, Listeners
from server.flow.plan import Plan
from server.flow.status import FlowError, StatusCode


@dataclass(frozen=True)
class TinyEnd:
    code: StatusCode
    message: str


def _endpoint(text: str) -> Endpoint:
    address, slash, path = text.partition("/")
    host, _, port = address.rpartition(":")
    return Endpoint(host, int(port), slash + path)


class TinyFlow:
    """Serves "<name> <path> <body>" on each of its endpoints, keep-alive."""

    def __init__(self, settings: dict[str, str], listeners: Listeners) -> None:
        self._settings = settings
        self._listeners = listeners
        self._tasks: set[asyncio.Task[None]] = set()
        self._food: list[bytearray] = []
        texts = settings.get("endpoints", "").split()
        self.endpoints = tuple(_endpoint(text) for text in texts)

    async def open(self) -> None:
        settings = self._settings
        if "pids" in settings:
            self._start_processes(Path(settings["pids"]))
        if "report" in settings:
            _report_limits(Path(settings["report"]))
        if "eat" in settings:
            self._food.append(bytearray(int(settings["eat"])))
        if "open_seconds" in settings:
            await asyncio.sleep(float(settings["open_seconds"]))
        if "fail" in settings:
            raise FlowError(StatusCode.BADCONF, "open flow failed.", settings["fail"])
        if "bug" in settings:
            raise ZeroDivisionError(settings["bug"])
        self._listeners.on_handed_over(self._handed_over)
        for endpoint in self.endpoints:
            self._own(self._accept(endpoint, await self._listeners.claim(endpoint)))
        if "stubborn" in settings:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            asyncio.get_running_loop().call_later(0.05, _spin)
            threading.Thread(target=_spin, daemon=True).start()

    def _start_processes(self, pids: Path) -> None:
        plain = subprocess.Popen(["sleep", "1000"])
        daemon = subprocess.Popen(["sleep", "1000"], start_new_session=True)
        copy = os.fork()
        if copy == 0:
            while True:
                time.sleep(1000)
        pids.write_text(f"{plain.pid} {daemon.pid} {copy}")

    def _own(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, endpoint: Endpoint, listener: socket) -> None:
        while True:
            connection, _ = await asyncio.get_running_loop().sock_accept(listener)
            self._own(self._serve(endpoint, connection, b""))

    def _handed_over(self, endpoint: Endpoint, connection: socket, received: bytes) -> None:
        self._own(self._serve(endpoint, connection, received))

    async def _serve(self, endpoint: Endpoint, connection: socket, received: bytes) -> None:
        loop = asyncio.get_running_loop()
        with connection:
            while True:
                while b"\r\n\r\n" not in received:
                    chunk = await loop.sock_recv(connection, 65536)
                    if not chunk:
                        return
                    received += chunk
                head, _, rest = received.partition(b"\r\n\r\n")
                path = head.split()[1].decode()
                route = self._listeners.foreign(endpoint.host, endpoint.port, path)
                if route is not None:
                    try:
                        await self._listeners.hand_over(route, connection, received)
                        return
                    except OSError:
                        answer = "503 gone"
                else:
                    answer = f"200 {self._settings.get('name', '')} {path} {os.getpid()}"
                received = rest
                status, _, body = answer.partition(" ")
                text = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n{body}"
                await loop.sock_sendall(connection, text.encode())

    def counters(self) -> tuple[NodeCounters, ...]:
        return ()

    def stalls(self) -> tuple[Stall, ...]:
        return ()

    def scheduler_status(self) -> str:
        return "idle"

    async def next_stalls(self) -> tuple[Stall, ...]:
        await asyncio.Event().wait()
        raise AssertionError

    async def ended(self) -> TinyEnd:
        settings = self._settings
        if "kill_self" in settings:
            await asyncio.sleep(0.05)
            os.kill(os.getpid(), int(settings["kill_self"]))
        if "eat_later" in settings:
            await asyncio.sleep(0.05)
            self._food.append(bytearray(int(settings["eat_later"])))
        if "child_eats" in settings:
            eat = f"food = bytearray({settings['child_eats']}); import time; time.sleep(1000)"
            subprocess.Popen([sys.executable, "-S", "-c", eat], start_new_session=True)
        if "threads" in settings:
            for _ in range(int(settings["threads"])):
                threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
        if "bad_alloc" in settings:
            new = ctypes.CDLL("libstdc++.so.6")._Znwm
            new.argtypes = [ctypes.c_size_t]
            new(1 << 60)
        if "exit" in settings:
            os._exit(int(settings["exit"]))
        if "end" in settings:
            await asyncio.sleep(float(settings.get("end_seconds", "0")))
            return TinyEnd(StatusCode(int(settings["end"])), settings.get("message", ""))
        await asyncio.Event().wait()
        raise AssertionError

    async def stop(self, grace: float) -> None:
        if "never_stops" in self._settings:
            await asyncio.Event().wait()


_REPORT = """
import json, os, resource, sys
report = {
    "nice": os.nice(0),
    "cpus": len(os.sched_getaffinity(0)),
    "open_files": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    "data": resource.getrlimit(resource.RLIMIT_DATA)[0],
    "oom_score": int(open("/proc/self/oom_score_adj").read()),
}
json.dump(report, sys.stdout)
"""


def _report_limits(path: Path) -> None:
    """What binds a process that a unit starts."""
    report = subprocess.run([sys.executable, "-S", "-c", _REPORT], capture_output=True, check=True).stdout
    path.write_bytes(report)


def _spin() -> None:
    while True:
        pass


class TinyRuntime:
    def warm_up(self) -> None:
        pass

    def compile(self, graph_format: str, source: str) -> Plan:
        settings = json.loads(source)
        if "compile_seconds" in settings:
            time.sleep(float(settings["compile_seconds"]))
        if "refuse" in settings:
            raise FlowError(StatusCode.BADCONF, settings["refuse"])
        return Plan(name="tiny", nodes=(), edges=(), settings=settings)

    def flow(self, plan: Plan, listeners: Listeners, limits: FlowLimits) -> TinyFlow:
        return TinyFlow(plan.settings, listeners)


class SlowBirthRuntime(TinyRuntime):
    """Leaves time, between a fork and its answer, to kill the host."""

    def warm_up(self) -> None:
        os.register_at_fork(after_in_child=lambda: time.sleep(0.3), after_in_parent=lambda: time.sleep(0.3))
