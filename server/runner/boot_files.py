"""Local flows: every file in the configured folder is a job at boot (spec 8.2), with events like any other.

What a client did to a file's job, such as stopping, changing or deleting it, holds until the file changes; a
changed file replaces its job; a file that is gone takes its job along.
"""

from hashlib import sha256
from pathlib import Path

import msgspec
import structlog

from server.failpoints import Failpoint, hit, io_error
from server.flow.settings import detect_format
from server.jobs import events as e
from server.jobs.commands import CreateJob, Graph
from server.jobs.ids import JobId
from server.jobs.state import Job

log = structlog.get_logger()

DISABLED = "DISABLED_"
ORIGIN = "file"
ACTOR = "boot"
"""Who does what files ask for, in the log."""


class BootFile(msgspec.Struct, frozen=True):
    """One flow file. `digest` is the SHA-256 of its bytes."""

    job_id: JobId
    digest: str
    graph: Graph

    def command(self) -> CreateJob:
        return CreateJob(job_id=self.job_id, graph=self.graph, origin=ORIGIN, file_digest=self.digest)


class Keep(msgspec.Struct, frozen=True):
    why: str = ""


class Create(msgspec.Struct, frozen=True):
    file: BootFile


class Replace(msgspec.Struct, frozen=True):
    file: BootFile


def read_boot_files(flow_path: str) -> list[BootFile] | None:
    """The flow files, in listing order; None when the folder cannot be read, so that nobody takes that for
    all files being gone. Blocking."""
    if not flow_path:
        return []
    folder = Path(flow_path).expanduser()
    try:
        hit(Failpoint.BOOT_FILES_READ, io_error)
        paths = [folder] if folder.is_file() else sorted(folder.iterdir())
    except OSError as error:
        log.error("flow_path cannot be read; its jobs stay as they are", path=str(folder), error=error.strerror)
        return None
    return [_read(path) for path in paths if _is_flow(path)]


def _is_flow(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".") and DISABLED not in path.name


def _read(path: Path) -> BootFile:
    try:
        content = path.read_bytes()
    except OSError as error:
        # becomes a FAILED job whose message tells why
        content = f"{path} cannot be read: {error.strerror}".encode()
    text = content.decode("utf-8", "replace")
    name = path.name.encode("utf-8", "replace").decode()
    return BootFile(JobId(name), sha256(content).hexdigest(), Graph.of(detect_format(name, text), text))


def plan_for(file: BootFile, job: Job | None, last: tuple[e.Recorded, ...]) -> Keep | Create | Replace:
    """What a file means for its job. `last` are the events of the newest incarnation of that id."""
    if job is not None and job.origin != ORIGIN:
        return Keep("a job of this id was created over REST")
    if job is not None:
        return Keep() if job.file_digest == file.digest else Replace(file)
    if _deleted_by_client(last) and _file_digest(last) == file.digest:
        return Keep("its job was deleted by a client and the file is the same")
    return Create(file)


def _deleted_by_client(last: tuple[e.Recorded, ...]) -> bool:
    return any(isinstance(recorded.event, e.DeleteRequested) and recorded.actor != ACTOR for recorded in last)


def _file_digest(last: tuple[e.Recorded, ...]) -> str | None:
    digests = [r.event.file_digest for r in last if isinstance(r.event, e.JobCreated)]
    return digests[-1] if digests else None


def gone(files: list[BootFile], jobs: list[Job]) -> list[Job]:
    """Jobs whose file is no more."""
    names = {file.job_id for file in files}
    return [job for job in jobs if job.origin == ORIGIN and job.job_id not in names]
