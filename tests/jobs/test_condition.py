import pytest

from server.jobs import events as e
from server.jobs.commands import Context, CreateJob, DeleteJob, Graph, decide_in
from server.jobs.condition import ANY, Condition, check_condition, etag_of
from server.jobs.errors import ConditionFailed, JobExists, NoSuchJob
from server.jobs.ids import Epoch, JobId
from tests.jobs.recorded import CREATED, failed, job_after

NO_FENCE = Epoch(0)
CREATE = CreateJob(job_id=JobId("a"), graph=Graph.of("json", "{}"))


def on(*tags: str) -> Context:
    return Context(actor="somebody", condition=Condition(matches=tags))


def test_a_tag_changes_with_what_clients_command_and_with_nothing_else() -> None:
    tags = [
        etag_of(job_after(CREATED, *events), NO_FENCE)
        for events in (
            (),
            (failed(),),
            (e.DeleteRequested(),),
        )
    ]
    assert tags == ['"1-1"', '"1-1"', '"1-2"']


def test_after_a_restore_no_tag_from_before_matches() -> None:
    job = job_after(CREATED)
    check_condition(job, Condition(matches=('"1-1"',)), NO_FENCE)
    with pytest.raises(ConditionFailed):
        check_condition(job, Condition(matches=('"1-1"',)), Epoch(7))
    assert etag_of(job, Epoch(7)) == '"7-1-1"'


def test_a_condition_that_holds_lets_the_command_through() -> None:
    job = job_after(CREATED)
    for tags in (('"1-1"',), ('"9-9"', '"1-1"'), (ANY,)):
        assert decide_in(on(*tags), NO_FENCE, job, DeleteJob(job_id=job.job_id)) == (e.DeleteRequested(),)


def test_a_condition_that_does_not_hold_refuses_it() -> None:
    job = job_after(CREATED)
    for tags in (('"1-2"',), ()):
        with pytest.raises(ConditionFailed, match='at "1-1"'):
            decide_in(on(*tags), NO_FENCE, job, DeleteJob(job_id=job.job_id))


def test_what_is_not_there_is_not_found_whatever_the_condition() -> None:
    with pytest.raises(NoSuchJob):
        decide_in(on(ANY), NO_FENCE, None, DeleteJob(job_id=JobId("a")))


def test_a_job_out_of_scope_is_not_found_and_its_tag_not_told() -> None:
    context = Context(actor="somebody", scope={"team": "b"}, condition=Condition(matches=('"9-9"',)))
    with pytest.raises(NoSuchJob):
        decide_in(context, NO_FENCE, job_after(CREATED), DeleteJob(job_id=JobId("a")))


def test_conditions_of_a_create() -> None:
    job = job_after(CREATED)
    new = Context(actor="somebody", condition=Condition(must_be_new=True))
    assert len(decide_in(new, NO_FENCE, None, CREATE)) == 1
    with pytest.raises(ConditionFailed):
        decide_in(new, NO_FENCE, job, CREATE)
    with pytest.raises(ConditionFailed):
        decide_in(on(ANY), NO_FENCE, None, CREATE)
    with pytest.raises(JobExists):
        decide_in(on('"1-1"'), NO_FENCE, job, CREATE)
