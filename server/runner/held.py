"""The engines that this runner holds: of each job its engine, and for a while a second one, see runner/change."""

from collections.abc import Iterator

from server.jobs.ids import JobId
from server.jobs.state import Job
from server.runner.engines import Engine


class Held:
    def __init__(self) -> None:
        self.engines: dict[JobId, Engine] = {}
        self.seconds: dict[JobId, Engine] = {}

    def add(self, engine: Engine, job: Job | None) -> Engine:
        """`job` is what the log says of its job."""
        is_second = job is not None and job.incarnation == engine.incarnation and _is_beside(engine, job)
        where, other = (self.seconds, self.engines) if is_second else (self.engines, self.seconds)
        if engine.job_id in where and engine.job_id not in other:
            where = other
        where[engine.job_id] = engine
        return engine

    def arrange(self, job_id: JobId, job: Job | None) -> None:
        """A second engine that is its job's engine by the log becomes that, and the other one the second."""
        second = self.seconds.get(job_id)
        if job is None or second is None or second.incarnation != job.incarnation or second.attempt != job.attempt:
            return
        del self.seconds[job_id]
        before = self.engines.get(job_id)
        if before is not None:
            self.seconds[job_id] = before
        self.engines[job_id] = second

    def remove(self, engine: Engine) -> None:
        for where in (self.engines, self.seconds):
            if where.get(engine.job_id) is engine:
                del where[engine.job_id]

    def has_other(self, engine: Engine) -> bool:
        """Whether the job has another engine beside this one."""
        return any(
            other is not None and other is not engine
            for other in (self.engines.get(engine.job_id), self.seconds.get(engine.job_id))
        )

    def has(self, engine: Engine) -> bool:
        """Whether it is this very process."""
        held = (self.engines.get(engine.job_id), self.seconds.get(engine.job_id))
        return any(one is not None and one.handle.identity == engine.handle.identity for one in held)

    def __contains__(self, job_id: object) -> bool:
        return job_id in self.engines or job_id in self.seconds

    def __iter__(self) -> Iterator[Engine]:
        yield from self.engines.values()
        yield from self.seconds.values()

    def __len__(self) -> int:
        return len(self.engines) + len(self.seconds)


def _is_beside(engine: Engine, job: Job) -> bool:
    return engine.attempt < job.attempt or (engine.is_successor and engine.attempt > job.attempt)
