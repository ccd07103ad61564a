"""Where the log of a job's attempt lies: here, on another machine, or nowhere any more."""

import socket
from dataclasses import dataclass
from pathlib import Path

from server.api.parameters import InvalidParameter
from server.engines.identity import boot_id
from server.engines.logs.files import Attempt, files_in
from server.engines.rundir import RunDir
from server.jobs.errors import NoSuchJob, WrongMachine
from server.jobs.events import EngineAdopted, EngineIdentity, EngineStarted
from server.jobs.ids import JobId
from server.store.follower import Follower
from server.store.history import History

_EVENTS_READ = 500


@dataclass(frozen=True)
class Wish:
    """Which attempt; None: the newest there is."""

    incarnation: int | None = None
    attempt: int | None = None

    def allows(self, attempt: Attempt) -> bool:
        return self.incarnation in (None, attempt.incarnation) and self.attempt in (None, attempt.number)


@dataclass(frozen=True)
class LogPlace:
    """`attempt` may have no file yet, or no longer."""

    folder: Path
    attempt: Attempt


class LogPlaces:
    def __init__(self, state_dir: Path, follower: Follower, history: History) -> None:
        self._run_dir = RunDir(state_dir)
        self._follower = follower
        self._history = history

    async def find(self, job_id: JobId, wish: Wish) -> LogPlace:
        """Raises: NoSuchJob, when there never was a job of that id; InvalidParameter, when that attempt never was;
        WrongMachine; StoreUnavailable, when only the database could tell."""
        job = self._follower.jobs.get(job_id)
        known = job.engine if job is not None else None
        folder = self._folder(job_id, known)
        newest = Attempt(job.incarnation, job.attempt) if job is not None else None
        if newest is not None and wish.allows(newest) and known is not None:
            if not _is_here(known):
                raise _elsewhere(newest, known)
            return LogPlace(folder, newest)
        found = [file for file in files_in(folder) if wish.allows(file.attempt)]
        is_newest = newest is None or not wish.allows(newest) or (found and found[-1].attempt >= newest)
        if found and is_newest:
            return LogPlace(folder, found[-1].attempt)
        place = await self._from_history(job_id, wish, folder)
        return LogPlace(folder, found[-1].attempt) if found and found[-1].attempt > place.attempt else place

    def _folder(self, job_id: JobId, engine: EngineIdentity | None) -> Path:
        """An engine of another installation on this machine writes into that one's state directory."""
        if engine is None or engine.run_dir == str(self._run_dir.path) or not _is_here(engine):
            return self._run_dir.job_logs(job_id)
        return RunDir(Path(engine.run_dir).parent).job_logs(job_id)

    async def _from_history(self, job_id: JobId, wish: Wish, folder: Path) -> LogPlace:
        cursor = None
        is_known = False
        while events := await self._history.of_job(job_id, cursor, _EVENTS_READ, newest_first=True):
            is_known = True
            cursor = events[-1].position
            for recorded in events:
                event = recorded.event
                if not isinstance(event, EngineStarted | EngineAdopted):
                    continue
                attempt = Attempt(recorded.incarnation or 0, event.attempt)
                if not wish.allows(attempt):
                    continue
                if not _is_here(event.engine):
                    raise _elsewhere(attempt, event.engine)
                return LogPlace(self._folder(job_id, event.engine), attempt)
        if not is_known:
            raise NoSuchJob
        if wish.attempt is not None:
            raise InvalidParameter(
                "attempt", "there is no log of it, and no attempt of that number was ever started"
            )
        return LogPlace(folder, Attempt(wish.incarnation or self._incarnation(job_id), 1))

    def _incarnation(self, job_id: JobId) -> int:
        job = self._follower.jobs.get(job_id)
        return job.incarnation if job is not None else 1


def _is_here(engine: EngineIdentity) -> bool:
    return engine.boot_id == boot_id() or engine.host == socket.gethostname()


def _elsewhere(attempt: Attempt, engine: EngineIdentity) -> WrongMachine:
    return WrongMachine(
        f"attempt {attempt.number} ran on {engine.host}: ask the API of that machine for its log"
        f" (directory {Path(engine.run_dir).parent}/logs)"
    )
