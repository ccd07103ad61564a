"""The engine host's children: starting one a job, reaping them, remembering how they ended."""

import contextlib
import ctypes
import logging
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from server.engines.cgroups import Cgroup, Cgroups
from server.engines.confinement import confine, rations_of
from server.engines.deaths import BIRTH_FAILED, Child, Deaths
from server.engines.identity import identity_of, is_alive, kill_session
from server.engines.protocol import EngineHead, EngineSpec, Exit, Refusal, Refused, Started
from server.engines.rations import LOOK_SECONDS, Excess, Rations
from server.engines.records import forget_end, newest_epoch, note_epoch, read_head, read_head_file, take_lock
from server.engines.rundir import RunDir, listen_unix
from server.engines.tree import signal_tree
from server.failpoints import Failpoint, hit, io_error
from server.jobs.limits import Limits

_PR_SET_CHILD_SUBREAPER = 36

log = logging.getLogger("host")

Birth = Callable[[EngineSpec, Limits, socket.socket, int], None]
"""Runs in the forked child: the spec, what of its limits the host looks after, the listening control socket, the
lock's descriptor."""


def become_subreaper() -> None:
    """Orphans of this process's descendants become its children, instead of init's."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class Children:
    def __init__(self, run_dir: RunDir, birth: Birth, cgroups: Cgroups | None) -> None:
        self._run_dir = run_dir
        self._birth = birth
        self._cgroups = cgroups
        self._alive: dict[int, Child] = {}
        self._exits: dict[tuple[str, int], Exit] = {}
        """By job and seat."""
        self._rations = Rations()
        self._excesses: dict[int, Excess] = {}
        self._deaths = Deaths(run_dir)
        for path in run_dir.engines.glob("*.lock"):
            self._inherit(path)

    def _inherit(self, lock: Path) -> None:
        """Engines of an earlier host have to keep to their limits too."""
        head = read_head_file(lock)
        if head is not None and is_alive(head.identity):
            self._rations.watch(head)

    def start(self, spec: EngineSpec) -> Started | Refused:
        """Forks the engine of `spec`. The same attempt again is answered as before."""
        newest = newest_epoch(self._run_dir, spec.log)
        if spec.epoch < newest:
            return Refused(reason=f"a runner of epoch {newest} has taken over", kind=Refusal.OLD_EPOCH)
        note_epoch(self._run_dir, spec.log, spec.epoch)
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
        path = self._run_dir.of_engine(spec.job_id, "lock", spec.seat)
        for _ in range(20):
            try:
                lock = take_lock(path)
            except OSError as error:
                return Refused(reason=f"the engine's lock cannot be made: {error}")
            if lock is not None:
                return self._unless_other_seat_is_taken(spec, lock)
            head = read_head(self._run_dir, spec.job_id, spec.seat)
            if head is not None and is_alive(head.identity):
                if (head.incarnation, head.attempt) == (spec.incarnation, spec.attempt):
                    return Started(identity=head.identity)
                return _still_runs(head)
            if head is not None:
                # a process that the dead engine forked still holds its lock
                kill_session(head.identity)
                self._clear_cgroups(spec.job_id, spec.seat)
            time.sleep(0.01)
        return Refused(reason=f"{path} is held by another process", kind=Refusal.RUNNING)

    def _unless_other_seat_is_taken(self, spec: EngineSpec, lock: int) -> int | Refused:
        """A job has two engines only while one is to succeed the other."""
        self._clear_cgroups(spec.job_id, spec.seat)
        if spec.successor:
            return lock
        head = read_head(self._run_dir, spec.job_id, 1 - spec.seat)
        if head is None or not is_alive(head.identity):
            return lock
        os.close(lock)
        return _still_runs(head)

    def _fork(self, spec: EngineSpec, lock: int) -> Started:
        os.ftruncate(lock, 0)
        self._exits.pop((spec.job_id, spec.seat), None)
        forget_end(self._run_dir, spec.job_id, spec.seat)
        rations, group = self._confinement_of(spec)
        # listening before the fork, so that a client can connect as soon as it knows of the engine
        control = listen_unix(self._run_dir.of_engine(spec.job_id, "sock", spec.seat))
        with control:
            sys.stdout.flush()
            sys.stderr.flush()
            hit(Failpoint.HOST_BEFORE_FORK, io_error)
            pid = os.fork()
            if pid == 0:
                self._run_child(spec, rations, group, control, lock)
        hit(Failpoint.HOST_FORKED)
        identity = identity_of(pid, self._run_dir.path)
        head = EngineHead(
            job_id=spec.job_id,
            incarnation=spec.incarnation,
            attempt=spec.attempt,
            epoch=spec.epoch,
            log=spec.log,
            identity=identity,
            rations=rations,
            log_limits=spec.log_limits,
            seat=spec.seat,
            successor=spec.successor,
        )
        self._alive[pid] = Child(head, group)
        self._rations.watch(head)
        return Started(identity=identity)

    def _confinement_of(self, spec: EngineSpec) -> tuple[Limits, Cgroup | None]:
        if self._cgroups is None:
            return rations_of(spec.limits, ()), None
        group = self._cgroups.make(spec.job_id, spec.incarnation, spec.attempt, spec.limits, spec.seat)
        return rations_of(spec.limits, group.controllers), group

    def _run_child(
        self, spec: EngineSpec, rations: Limits, group: Cgroup | None, control: socket.socket, lock: int
    ) -> None:
        """Never returns: whatever happens, the child must not go on as a second host."""
        try:
            if group is not None:
                group.enter()
            confine(spec.limits, group.controllers if group is not None else ())
            self._birth(spec, rations, control, lock)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(BIRTH_FAILED)

    def reap(self) -> None:
        """Takes notice of every child that has ended. Never waits."""
        while (ended := _next_ended()) is not None:
            child = self._alive.pop(ended.si_pid, None)
            if child is not None:
                self._exits[child.head.job_id, child.head.seat] = self._exit_of(child, ended)
                hit(Failpoint.HOST_REAPED)
                self._rations.forget(ended.si_pid)
                if child.group is not None and self._cgroups is not None:
                    self._cgroups.end(child.group)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(ended.si_pid, 0)
        self._kill_orphans()
        if self._cgroups is not None:
            self._cgroups.tidy()

    def _exit_of(self, child: "Child", ended: os.waitid_result) -> Exit:
        excess = self._excesses.pop(ended.si_pid, None) or self._deaths.starvation(child, ended)
        exited = ended.si_code == os.CLD_EXITED
        return Exit(
            head=child.head,
            exit_code=ended.si_status if exited else None,
            signal=None if exited else ended.si_status,
            out_of_memory=excess is not None and excess.of_memory,
            reason=excess.reason if excess is not None else "",
        )

    def seconds_to_next_look(self) -> float | None:
        """When `look` wants to be called; None when there is nobody to look at."""
        left = self._rations.seconds_left
        if self._cgroups is not None and self._cgroups.has_leftover:
            return LOOK_SECONDS if left is None else left
        return left

    def look(self) -> None:
        """Ends engines that take more than their limits, all that they have started included."""
        if self._cgroups is not None:
            self._cgroups.tidy()
        for head, excess in self._rations.exceeded():
            pid = head.identity.pid
            self._rations.forget(pid)
            if not is_alive(head.identity):
                continue
            log.warning("job %s is ended: %s", head.job_id, excess.reason)
            if pid in self._alive:
                self._excesses[pid] = excess
            else:
                # no child of ours: nobody will tell us how it ended
                self._exits[head.job_id, head.seat] = Exit(
                    head=head,
                    exit_code=None,
                    signal=signal.SIGKILL,
                    out_of_memory=excess.of_memory,
                    reason=excess.reason,
                )
            signal_tree(head.identity, signal.SIGKILL)

    def _clear_cgroups(self, job_id: str, seat: int) -> None:
        if self._cgroups is not None:
            self._cgroups.clear(job_id, seat)

    def _kill_orphans(self) -> None:
        # the host is a subreaper and forks engines only, engines are subreapers too: a child that is no engine was
        # started by an engine that is gone
        for pid in _children():
            if pid not in self._alive:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def how_ended(self, job_id: str, seat: int) -> Exit | None:
        self.reap()
        known = self._exits.get((job_id, seat))
        if known is None:
            self._end_what_is_left(job_id, seat)
        return known

    def _end_what_is_left(self, job_id: str, seat: int) -> None:
        """Of an engine that an earlier host started and that is gone."""
        head = read_head(self._run_dir, job_id, seat)
        if head is not None and not is_alive(head.identity):
            self._clear_cgroups(job_id, seat)

    def acknowledge(self, job_id: str, pid: int, seat: int) -> None:
        known = self._exits.get((job_id, seat))
        if known is not None and known.head.identity.pid == pid:
            del self._exits[job_id, seat]

    def forget(self, job_id: str) -> None:
        """Removes every trace of a job that has no engine."""
        self._run_dir.handed_over(job_id).unlink(missing_ok=True)
        for seat in (0, 1):
            self._forget_seat(job_id, seat)

    def _forget_seat(self, job_id: str, seat: int) -> None:
        self._exits.pop((job_id, seat), None)
        path = self._run_dir.of_engine(job_id, "lock", seat)
        if not path.exists() or (lock := take_lock(path)) is None:
            return
        # removed while held, and only hosts take it, one at a time: nobody can hold the removed file
        for suffix in ("sock", "end", "lock"):
            self._run_dir.of_engine(job_id, suffix, seat).unlink(missing_ok=True)
        os.close(lock)
        self._clear_cgroups(job_id, seat)

    def close(self) -> None:
        if self._cgroups is not None:
            self._cgroups.close()


def _still_runs(head: EngineHead) -> Refused:
    reason = f"attempt {head.attempt} of job {head.job_id} still runs (pid {head.identity.pid})"
    return Refused(reason=reason, kind=Refusal.RUNNING)


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
