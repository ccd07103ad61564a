"""Rounds of trouble under load, each followed by a look at whether every promise still holds."""

import json
import random
import statistics
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.chaos.load import STOPPED, Client, Notes
from tests.chaos.monkey import make_trouble
from tests.history import History, assert_legal, read_history
from tests.installation import Installation

CLIENTS = 3
RECOVERY_SECONDS = 60.0
MOVING = ("PENDING", "CREATEING", "DELETEING", "UNKNOWN")


@dataclass
class Report:
    """Counts of broken promises, all to be 0, and how long recoveries took, in seconds."""

    rounds: int = 0
    lost: int = 0
    came_back: int = 0
    doubled: int = 0
    orphaned: int = 0
    unanswered: int = 0
    commands: int = 0
    data_requests: int = 0
    recovery_s: list[float] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.came_back or self.doubled or self.orphaned or self.unanswered)

    def as_json(self) -> str:
        recoveries = sorted(self.recovery_s)
        return json.dumps(
            {
                "rounds": self.rounds,
                "lost": self.lost,
                "came back": self.came_back,
                "doubled": self.doubled,
                "orphaned": self.orphaned,
                "unanswered": self.unanswered,
                "commands": self.commands,
                "data requests": self.data_requests,
                "recovery_s": {
                    "p50": round(statistics.median(recoveries), 2),
                    "max": round(recoveries[-1], 2),
                },
            }
        )


def run_rounds(installation: Installation, rounds: int, seed: int) -> Report:
    """The installation is started and left running."""
    rng = random.Random(seed)
    report = Report()
    notes = [Notes() for _ in range(CLIENTS)]
    installation.start()
    for number in range(rounds):
        stop = threading.Event()
        clients = [Client(installation, n, stop, notes[n]) for n in range(CLIENTS)]
        threads = [threading.Thread(target=client.run) for client in clients]
        for thread in threads:
            thread.start()
        time.sleep(rng.uniform(0.1, 0.6))
        what = make_trouble(installation, rng)
        stop.set()
        for thread in threads:
            thread.join(120)
            assert not thread.is_alive(), f"round {number} ({what}): a client hangs"
        recover(installation, notes, report, f"round {number}: {what}")
        report.rounds += 1
    report.unanswered = sum(each.unanswered for each in notes)
    report.commands = sum(each.commands for each in notes)
    report.data_requests = sum(each.data_requests for each in notes)
    return report


def recover(installation: Installation, notes: list[Notes], report: Report, what: str) -> None:
    started = time.monotonic()
    if installation.process is None or installation.process.poll() is not None:
        installation.start()
    else:
        installation.wait_until_serving(RECOVERY_SECONDS)
    present = set().union(*(each.present - each.unsure for each in notes))
    stopped = set().union(*(each.stopped - each.unsure for each in notes))
    absent = set().union(*(each.absent - each.unsure for each in notes))
    listed = _wait_until_settled(installation, present | stopped, report, what)
    report.recovery_s.append(time.monotonic() - started)
    engines = installation.engines()
    running = {job_id for job_id, word in listed.items() if word == "RUNNING"}
    broken = {
        "lost": {job_id for job_id in present if listed.get(job_id) != "RUNNING"} | (stopped - set(listed)),
        "came_back": absent & set(listed)
        | {job_id for job_id in stopped & set(listed) if listed[job_id] != STOPPED},
        "doubled": {job_id for job_id, pids in engines.items() if len(pids) > 1},
        "orphaned": (set(engines) - set(listed)) | (running - set(engines)),
    }
    for name, jobs in broken.items():
        if jobs:
            setattr(report, name, getattr(report, name) + len(jobs))
            report.told.append(f"{what}: {name} {[installation.status(job_id).text for job_id in sorted(jobs)]}")
    for each in notes:
        each.settle(listed)
    assert_legal(_history(installation))


def _history(installation: Installation) -> History:
    return read_history(installation.database_url or installation.state_dir / "modelbox.db")


def _wait_until_settled(
    installation: Installation, present: set[str], report: Report, what: str
) -> dict[str, str]:
    """The status words once every job is at rest, those that must be there among them; or after a while."""
    deadline = time.monotonic() + RECOVERY_SECONDS
    while True:
        try:
            listed = {job_id: _word(job) for job_id, job in installation.list_all().items()}
        except (httpx.TransportError, KeyError):
            listed = {"": "PENDING"}
        awaited = _awaited(installation, listed, present)
        if not awaited:
            return listed
        if time.monotonic() > deadline:
            report.told.append(f"{what}: not at rest within {RECOVERY_SECONDS} s: {', '.join(awaited)}")
            report.told += [_last_events(installation, told.split()[0]) for told in awaited]
            return listed
        time.sleep(0.05)


def _last_events(installation: Installation, job_id: str) -> str:
    rows = [row for row in _history(installation) if row.job_id == job_id]
    return "\n".join(f"  {row.position} {row.type} {row.data} of epoch {row.epoch}" for row in rows[-20:])


def _awaited(installation: Installation, listed: dict[str, str], present: set[str]) -> list[str]:
    """What is still to happen before all is at rest."""
    moving = [f"{job_id} is {word}" for job_id, word in listed.items() if word in MOVING]
    missing = [f"{job_id} is not there" for job_id in present - set(listed)]
    if moving or missing:
        return moving + missing
    restarting = [f"{job_id} is to be restarted" for job_id in _restarting(installation)]
    return restarting or _disagreeing(installation, listed)


def _word(job: dict[str, Any]) -> str:
    return STOPPED if job.get("desired") == "stopped" else str(job["job_status"])


def _restarting(installation: Installation) -> set[str | None]:
    """Jobs that are RUNNING, perhaps, and about to get another engine."""
    found: set[str | None] = set()
    attempts: dict[str | None, int] = {}
    for row in _history(installation):
        attempt = row.data.get("attempt") or 0
        # one that was started, but not on record yet when the runner was killed, is adopted
        is_newer = row.type == "engine-adopted" and attempt > attempts.get(row.job_id, 0)
        if row.type in ("engine-started", "engine-adopted", "successor-started"):
            attempts[row.job_id] = attempt
        if row.type == "restart-requested":
            found.add(row.job_id)
        elif is_newer or row.type in ("engine-started", "change-applied", "stop-requested", "delete-requested"):
            found.discard(row.job_id)
    return found


def _disagreeing(installation: Installation, listed: dict[str, str]) -> list[str]:
    """Jobs whose processes are not those that the list tells of: it may be late by a moment, and a job that was
    changed may have an engine on its way out."""
    engines = installation.engines()
    wanted = {job_id: 1 for job_id, word in listed.items() if word == "RUNNING"}
    return [
        f"{job_id} has {len(engines.get(job_id, ()))} engines"
        for job_id in sorted(engines.keys() | wanted)
        if len(engines.get(job_id, ())) != wanted.get(job_id, 0)
    ]
