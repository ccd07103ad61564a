"""The labels of a job as the log has them: for jobs that are gone."""

import sqlalchemy as sa

from server.jobs.events import ChangeApplied, ChangeRequested, JobCreated, JobDeleted
from server.jobs.ids import JobId
from server.store.rows import recorded_of
from server.store.tables import EVENT

_TELLING = (JobCreated.type, ChangeRequested.type, ChangeApplied.type, JobDeleted.type)


def last_labels(
    connection: sa.Connection, job_id: JobId, incarnation: int | None
) -> tuple[dict[str, str], bool] | None:
    """The labels that the job of that incarnation had last, or the newest of that id; and whether it is deleted.
    None when there is none, or its beginning is in an archive."""
    if incarnation is None:
        newest = sa.select(sa.func.max(EVENT.c.incarnation)).where(EVENT.c.job_id == job_id)
        incarnation = connection.execute(newest).scalar()
    if incarnation is None:
        return None
    of_life = sa.select(EVENT).where(EVENT.c.job_id == job_id, EVENT.c.incarnation == incarnation)
    rows = connection.execute(of_life.where(EVENT.c.type.in_(_TELLING)).order_by(EVENT.c.version))
    labels: dict[str, str] | None = None
    asked_for: dict[int, dict[str, str]] = {}
    is_over = False
    for row in rows:
        match recorded_of(row).event:
            case JobCreated(options=options):
                labels = options.labels
            case ChangeRequested(revision=revision, options=options):
                asked_for[revision] = options.labels
            case ChangeApplied(revision=revision):
                labels = asked_for.get(revision, labels)
            case JobDeleted():
                is_over = True
    return None if labels is None else (labels, is_over)
