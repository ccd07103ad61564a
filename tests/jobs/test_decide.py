import pytest

from server.jobs import events as e
from server.jobs.commands import CreateJob, DeleteJob, Graph, Observe, decide
from server.jobs.errors import JobExists, NoSuchJob
from server.jobs.ids import JobId, is_valid_job_id
from server.jobs.state import Job
from tests.jobs.recorded import CREATED, exited, failed, job_after, lost, ready, started

GRAPH = Graph.of("json", "{}")
CREATE = CreateJob(job_id=JobId("job"), graph=GRAPH)
DELETE = DeleteJob(job_id=JobId("job"))


def observe(event: e.Event, incarnation: int = 1) -> Observe:
    return Observe(job_id=JobId("job"), incarnation=incarnation, event=event)


def test_create() -> None:
    assert decide(None, CREATE) == (e.JobCreated(graph_digest=GRAPH.digest),)


@pytest.mark.parametrize("job", [job_after(CREATED), job_after(CREATED, failed()), job_after(CREATED, ready())])
def test_an_id_is_taken_whatever_its_job_is_doing(job: Job) -> None:
    with pytest.raises(JobExists):
        decide(job, CREATE)


def test_delete() -> None:
    assert decide(job_after(CREATED), DELETE) == (e.DeleteRequested(),)
    assert decide(job_after(CREATED, e.DeleteRequested()), DELETE) == ()
    with pytest.raises(NoSuchJob):
        decide(None, DELETE)


RUNNING = job_after(CREATED, started(), ready())
DELETING = job_after(CREATED, started(), ready(), e.DeleteRequested())


@pytest.mark.parametrize(
    ("job", "event"),
    [
        (job_after(CREATED), started()),
        (job_after(CREATED, started()), ready()),
        (job_after(CREATED, started()), failed()),
        (job_after(CREATED), failed()),
        (RUNNING, exited()),
        (RUNNING, lost()),
        (RUNNING, e.FlowSucceeded(attempt=1)),
        (DELETING, e.JobDeleted()),
        (DELETING, e.EngineStopped(attempt=1, reason="deleted")),
    ],
)
def test_news_about_the_job_as_it_is_becomes_an_event(job: Job, event: e.Event) -> None:
    assert decide(job, observe(event)) == (event,)


@pytest.mark.parametrize(
    ("job", "event"),
    [
        (None, ready()),
        (RUNNING, started()),
        (RUNNING, ready()),
        (RUNNING, exited(attempt=0)),
        (RUNNING, e.JobDeleted()),
        (job_after(CREATED, started(), ready(), exited()), exited()),
        (job_after(CREATED, started(), failed()), failed()),
        (job_after(CREATED, started(), failed()), started(2)),
        (job_after(CREATED, started(), failed()), e.FlowSucceeded(attempt=1)),
    ],
)
def test_what_is_no_news_any_more_is_left_out(job: Job | None, event: e.Event) -> None:
    assert decide(job, observe(event)) == ()


def test_word_about_an_earlier_job_of_the_same_id_is_left_out() -> None:
    assert decide(RUNNING, observe(exited(), incarnation=2)) == ()


@pytest.mark.parametrize("job_id", ["ab", "a.", "~_", "-+", "x" * 64, "list", "all", "flow-example"])
def test_valid_ids(job_id: str) -> None:
    assert is_valid_job_id(job_id)


@pytest.mark.parametrize("job_id", ["", "a", ".a", "x" * 65, "a b", "a/b", "ä1", "ab\n", "a\0b"])
def test_invalid_ids(job_id: str) -> None:
    assert not is_valid_job_id(job_id)
