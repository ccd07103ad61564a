"""The engine host's children: starting one a job, reaping them, remembering how they ended."""

import contextlib
import ctypes
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from server.engines.identity import identity_of, is_alive, kill_session
from server.engines.protocol import EngineHead, EngineSpec, Exit, Refusal, Refused, Started
from server.engines.records import forget_end, read_head, take_lock
from server.engines.rundir import RunDir, listen_unix

_PR_SET_CHILD_SUBREAPER = 36

Birth = Callable[[EngineSpec, socket.socket, int], None]
"""Runs in the forked child: the spec, the listening control socket, the lock's descriptor."""


def become_subreaper() -> None:
    """Orphans of this process's descendants become its children, instead of init's."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class Children:
    def __init__(self, run_dir: RunDir, birth: Birth) -> None:
        self._run_dir = run_dir
        self._birth = birth
        self._alive: dict[int, EngineHead] = {}
        self._exits: dict[str, Exit] = {}
        self._epoch = 0
        self._oom_kills = _oom_kills()

    def start(self, spec: EngineSpec) -> Started | Refused:
        """Forks the engine of `spec`. The same attempt again is answered as before."""
        if spec.epoch < self._epoch:
            return Refused(reason=f"a runner of epoch {self._epoch} has taken over", kind=Refusal.OLD_EPOCH)
        self._epoch = spec.epoch
        self.reap()
        lock = self._take_lock(spec)
        if not isinstance(lock, int):
            return lock
        try:
            return self._fork(spec, lock)
        except OSError as error:
            return Refused(reason=f"the engine's process cannot be started: {error}")
        finally:
            os.close(lock)

    def _take_lock(self, spec: EngineSpec) -> int | Started | Refused:
        path = self._run_dir.of_engine(spec.job_id, "lock")
        for _ in range(20):
            try:
                lock = take_lock(path)
            except OSError as error:
                return Refused(reason=f"the engine's lock cannot be made: {error}")
            if lock is not None:
                return lock
            head = read_head(self._run_dir, spec.job_id)
            if head is not None and is_alive(head.identity):
                if (head.incarnation, head.attempt) == (spec.incarnation, spec.attempt):
                    return Started(identity=head.identity)
                reason = f"attempt {head.attempt} of job {spec.job_id} still runs (pid {head.identity.pid})"
                return Refused(reason=reason, kind=Refusal.RUNNING)
            if head is not None:
                # a process that the dead engine forked still holds its lock
                kill_session(head.identity)
            time.sleep(0.01)
        return Refused(reason=f"{path} is held by another process", kind=Refusal.RUNNING)

    def _fork(self, spec: EngineSpec, lock: int) -> Started:
        os.ftruncate(lock, 0)
        self._exits.pop(spec.job_id, None)
        forget_end(self._run_dir, spec.job_id)
        self._run_dir.of_engine(spec.job_id, "http").unlink(missing_ok=True)
        # listening before the fork, so that a client can connect as soon as it knows of the engine
        control = listen_unix(self._run_dir.of_engine(spec.job_id, "sock"))
        with control:
            sys.stdout.flush()
            sys.stderr.flush()
            pid = os.fork()
            if pid == 0:
                self._run_child(spec, control, lock)
        identity = identity_of(pid, self._run_dir.path)
        self._alive[pid] = EngineHead(
            job_id=spec.job_id,
            incarnation=spec.incarnation,
            attempt=spec.attempt,
            epoch=spec.epoch,
            identity=identity,
        )
        return Started(identity=identity)

    def _run_child(self, spec: EngineSpec, control: socket.socket, lock: int) -> None:
        """Never returns: whatever happens, the child must not go on as a second host."""
        try:
            self._birth(spec, control, lock)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(70)

    def reap(self) -> None:
        """Takes notice of every child that has ended. Never waits."""
        while (ended := _next_ended()) is not None:
            head = self._alive.pop(ended.si_pid, None)
            if head is not None:
                self._exits[head.job_id] = self._exit_of(head, ended)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(ended.si_pid, 0)
        self._kill_orphans()

    def _exit_of(self, head: EngineHead, ended: os.waitid_result) -> Exit:
        if ended.si_code == os.CLD_EXITED:
            return Exit(head=head, exit_code=ended.si_status, signal=None, out_of_memory=False)
        kills, self._oom_kills = self._oom_kills, _oom_kills()
        starved = ended.si_status == signal.SIGKILL and self._oom_kills > kills
        return Exit(head=head, exit_code=None, signal=ended.si_status, out_of_memory=starved)

    def _kill_orphans(self) -> None:
        # the host is a subreaper and forks engines only, engines are subreapers too: a child that is no engine was
        # started by an engine that is gone
        for pid in _children():
            if pid not in self._alive:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def how_ended(self, job_id: str) -> Exit | None:
        self.reap()
        return self._exits.get(job_id)

    def acknowledge(self, job_id: str, pid: int) -> None:
        known = self._exits.get(job_id)
        if known is not None and known.head.identity.pid == pid:
            del self._exits[job_id]

    def forget(self, job_id: str) -> None:
        """Removes every trace of a job that has no engine."""
        self._exits.pop(job_id, None)
        path = self._run_dir.of_engine(job_id, "lock")
        if not path.exists() or (lock := take_lock(path)) is None:
            return
        # removed while held, and only hosts take it, one at a time: nobody can hold the removed file
        for suffix in ("sock", "http", "end", "lock"):
            self._run_dir.of_engine(job_id, suffix).unlink(missing_ok=True)
        os.close(lock)


def _next_ended() -> os.waitid_result | None:
    try:
        # not reaped yet: the pid stays taken until its exit is noted
        return os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None


def _children() -> list[int]:
    pid = os.getpid()
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_bytes().split()]
    except OSError:
        return []


def _oom_kills() -> int:
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
