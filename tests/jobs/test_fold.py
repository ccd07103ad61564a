import msgspec
import pytest

from server.jobs import events as e
from server.jobs.words import Actual, Outcome
from tests.jobs.recorded import CREATED, START, after, exited, failed, job_after, lost, ready, started


@pytest.mark.parametrize(
    ("events", "word"),
    [
        ([CREATED], "PENDING"),
        ([CREATED, started()], "CREATEING"),
        ([CREATED, started(), ready()], "RUNNING"),
        ([CREATED, started(), failed()], "FAILED"),
        ([CREATED, failed()], "FAILED"),
        ([CREATED, started(), ready(), exited()], "PENDING"),
        ([CREATED, started(), ready(), exited(retry_at=None)], "FAILED"),
        ([CREATED, started(), ready(), exited(), started(2)], "CREATEING"),
        ([CREATED, started(), ready(), lost()], "PENDING"),
        ([CREATED, started(), ready(), e.EngineStopped(attempt=1, reason="r")], "PENDING"),
        ([CREATED, started(), ready(), e.FlowSucceeded(attempt=1)], "SUCCEEDED"),
        ([CREATED, started(), ready(), e.FlowSucceeded(attempt=1, retry_at=START)], "PENDING"),
        ([CREATED, started(), ready(), e.EngineUnreachable(attempt=1, reason="r")], "UNKNOWN"),
        ([CREATED, started(), ready(), e.DeleteRequested()], "DELETEING"),
        ([CREATED, started(), failed(), e.DeleteRequested()], "DELETEING"),
    ],
)
def test_the_word_on_the_wire_follows_from_the_events(events: list[e.Event], word: str) -> None:
    assert job_after(*events).status == word


def test_a_deleted_job_is_gone_and_may_be_created_again() -> None:
    deleted = [CREATED, e.DeleteRequested(), e.JobDeleted()]
    assert after(*deleted) is None
    assert after(*deleted, CREATED) is not None


def test_a_late_word_about_an_earlier_attempt_changes_nothing_but_the_position() -> None:
    before = job_after(CREATED, started(), ready(), exited(), started(2), ready(2))
    late = job_after(CREATED, started(), ready(), exited(), started(2), ready(2), exited(1))
    assert late.position == before.position + 1
    assert (
        msgspec.structs.replace(
            late, position=before.position, version=before.version, changed_at=before.changed_at
        )
        == before
    )


def test_the_reason_of_a_failure_is_kept_until_the_flow_is_ready_again() -> None:
    waiting = job_after(CREATED, started(), ready(), exited())
    assert (waiting.error, waiting.retry_at, waiting.engine) == ("Fault, killed", START, None)
    assert job_after(CREATED, started(), ready(), exited(), started(2)).error == "Fault, killed"
    assert job_after(CREATED, started(), ready(), exited(), started(2), ready(2)).error == ""


def test_an_event_of_a_newer_program_is_skipped() -> None:
    job = job_after(CREATED, e.UnknownEvent(data=msgspec.Raw(b"{}")))
    assert (job.actual, job.outcome, job.version) == (Actual.NONE, Outcome.OPEN, 2)


@pytest.mark.parametrize("event", [CREATED, started(), ready(), failed(retry_at=START), exited(), lost()])
def test_an_event_comes_back_from_its_row_as_it_went_in(event: e.Event) -> None:
    assert e.decode_event(event.type, event.schema_version, e.encode_event(event)) == event


def test_an_unknown_type_or_a_newer_schema_decodes_to_an_unknown_event() -> None:
    assert isinstance(e.decode_event("job-teleported", 1, "{}"), e.UnknownEvent)
    assert isinstance(e.decode_event("job-created", 99, '{"x": 1}'), e.UnknownEvent)


def test_type_names_in_the_log_are_fixed() -> None:
    # renaming one would orphan the rows that carry it
    assert sorted(e.EVENT_TYPES) == [
        "attempts-summed-up",
        "backup-restored",
        "change-applied",
        "change-failed",
        "change-requested",
        "delete-requested",
        "engine-adopted",
        "engine-exited",
        "engine-failed",
        "engine-healthy",
        "engine-lost",
        "engine-ready",
        "engine-started",
        "engine-stopped",
        "engine-unreachable",
        "events-archived",
        "flow-recovered",
        "flow-stalled",
        "flow-succeeded",
        "job-created",
        "job-deleted",
        "leader-elected",
        "loss-accepted",
        "restart-requested",
        "start-requested",
        "stop-requested",
        "successor-started",
    ]
