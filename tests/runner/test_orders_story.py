"""Orders, engines that come and go, and a runner that dies between any two steps: the job ends up as asked for.

Decisions, fold and reconcile are the real ones; engines are stand-ins, and so is what the runner does to them.
"""

from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from server.jobs import events as e
from server.jobs.change import options_of
from server.jobs.commands import (
    ChangeJob,
    Command,
    CreateJob,
    DeleteJob,
    Observe,
    RestartJob,
    StartJob,
    StopJob,
    decide,
)
from server.jobs.errors import JobError
from server.jobs.graph import Graph
from server.jobs.ids import JobId
from server.jobs.state import Job, fold
from server.jobs.words import Actual, Desired, Outcome
from server.runner import reconcile as r
from tests.jobs.recorded import ENGINE, START, recorded

JOB = JobId("job")
GRACE = 5.0
STEPS = 50
"""More than any story needs to come to rest."""


@dataclass
class Process:
    """An engine. `digest`: of the graph that it runs; `reason` and `grace`: with which it was told to stop."""

    incarnation: int
    attempt: int
    digest: str
    is_up: bool = False
    reason: str = ""
    grace: float | None = None


class Story(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.job: Job | None = None
        self.position, self.version, self.incarnation, self.graphs = 0, 0, 0, 0
        self.living: list[Process] = []
        self.unrecorded: Process | None = None
        self.holds_ports = False

    def submit(self, command: Command) -> tuple[e.Event, ...]:
        """What came of it; nothing when it was refused."""
        try:
            events = decide(self.job, command)
        except JobError:
            return ()
        for event in events:
            if isinstance(event, e.JobCreated):
                self.incarnation, self.version = self.incarnation + 1, 0
            self.position, self.version = self.position + 1, self.version + 1
            self.job = fold(self.job, recorded(self.position, event, self.incarnation, self.version))
        return events

    def observe(self, incarnation: int, event: e.Event) -> None:
        self.submit(Observe(job_id=JOB, incarnation=incarnation, event=event))

    def graph(self) -> Graph:
        self.graphs += 1
        return Graph.of("toml", f"number = {self.graphs}")

    @rule(stopped=st.booleans())
    def create(self, stopped: bool) -> None:
        options = options_of({"initial_state": "stopped"} if stopped else {})
        self.submit(CreateJob(job_id=JOB, graph=self.graph(), options=options))

    @rule(grace=st.sampled_from([None, 0.0, 1.0, 9.0]))
    def stop(self, grace: float | None) -> None:
        self.submit(StopJob(job_id=JOB, grace=grace))
        assert not self.submit(StopJob(job_id=JOB, grace=grace))

    @rule()
    def start(self) -> None:
        self.submit(StartJob(job_id=JOB))
        assert not self.submit(StartJob(job_id=JOB))

    @rule(grace=st.sampled_from([None, 0.0]), only_failed=st.booleans())
    def restart(self, grace: float | None, only_failed: bool) -> None:
        has_failed = self.job is not None and self.job.outcome is Outcome.FAILED
        events = self.submit(RestartJob(job_id=JOB, grace=grace, only_failed=only_failed))
        assert has_failed or not (only_failed and events)
        if events:
            assert not self.submit(RestartJob(job_id=JOB, grace=grace))

    @rule(grace=st.sampled_from([None, 0.0]))
    def delete(self, grace: float | None) -> None:
        self.submit(DeleteJob(job_id=JOB, grace=grace))
        assert not self.submit(DeleteJob(job_id=JOB, grace=grace))

    @precondition(lambda self: self.job is not None and self.job.actual is Actual.NONE)
    @rule()
    def change(self) -> None:
        """One that needs no successor: those have their own tests."""
        self.submit(ChangeJob(job_id=JOB, graph=self.graph()))

    @rule()
    def runner_works(self) -> None:
        self.work()

    def work(self) -> bool:
        """Does the runner's next step; False when there is none."""
        if self.unrecorded is not None:
            started, self.unrecorded = self.unrecorded, None
            if started in self.living:
                self.observe(started.incarnation, e.EngineStarted(attempt=started.attempt, engine=ENGINE))
            return True
        action = r.reconcile(self.job, self.view(), 0.0)
        return self.carry_out(action) if self.job is None else self.carry_out_for(self.job, action)

    def view(self) -> r.EngineView | None:
        if not self.living:
            return None
        (one,) = self.living
        return r.EngineView(one.incarnation, one.attempt, bool(one.reason), one.grace)

    def carry_out(self, action: r.Action) -> bool:
        if not isinstance(action, r.StopEngine):
            return False
        (engine,) = self.living
        asked = None if self.job is None else self.job.orders.grace
        engine.reason, engine.grace = engine.reason or action.reason, GRACE if asked is None else asked
        return True

    def carry_out_for(self, job: Job, action: r.Action) -> bool:
        match action:
            case r.StartEngine(attempt):
                self.unrecorded = Process(job.incarnation, attempt, job.graph_digest)
                self.living.append(self.unrecorded)
                self.holds_ports = True
            case r.RecordLoss():
                self.observe(job.incarnation, e.EngineLost(attempt=job.attempt, reason="gone"))
            case r.RecordStart():
                (engine,) = self.living
                self.observe(engine.incarnation, e.EngineAdopted(attempt=engine.attempt, engine=ENGINE))
            case r.RemoveJob():
                self.holds_ports = False
                self.observe(job.incarnation, e.JobDeleted())
            case r.ReleasePorts():
                held, self.holds_ports = self.holds_ports, False
                return held
            case _:
                return self.carry_out(action)
        return True

    @rule()
    def runner_is_replaced(self) -> None:
        """What it knew and had not recorded is gone with it; the next one looks for engines."""
        self.unrecorded = None
        job = self.job
        for one in self.living:
            one.reason, one.grace = "", None
            if job is not None and job.incarnation == one.incarnation:
                self.observe(one.incarnation, e.EngineAdopted(attempt=one.attempt, engine=ENGINE))
        if job is not None and job.actual is not Actual.NONE and not self.living:
            self.observe(job.incarnation, e.EngineLost(attempt=job.attempt, reason="gone"))

    @precondition(lambda self: self.unrecorded is None and any(not one.is_up for one in self.living))
    @rule()
    def engine_gets_ready(self) -> None:
        (one,) = self.living
        one.is_up = True
        self.observe(one.incarnation, e.EngineReady(attempt=one.attempt))

    @precondition(lambda self: self.unrecorded is None and bool(self.living))
    @rule(tried_again=st.booleans(), how=st.sampled_from(["exits", "fails", "succeeds"]))
    def engine_ends(self, tried_again: bool, how: str) -> None:
        one = self.living.pop()
        n, at = one.attempt, START if tried_again else None
        event: e.Event = e.FlowSucceeded(attempt=n, retry_at=at)
        if one.reason:
            event = e.EngineStopped(attempt=n, reason=one.reason)
        elif how == "exits":
            event = e.EngineExited(attempt=n, exit_code=1, signal=None, error="why", failures=1, retry_at=at)
        elif how == "fails":
            event = e.EngineFailed(attempt=n, error="why", failures=1, retry_at=at)
        self.observe(one.incarnation, event)

    @rule()
    def all_comes_to_rest(self) -> None:
        for _ in range(STEPS):
            if self.work():
                continue
            if not self.living or (self.living[0].is_up and not self.living[0].reason):
                break
            if self.living[0].reason:
                self.engine_ends(tried_again=False, how="exits")
            else:
                self.engine_gets_ready()
        else:
            raise AssertionError("it never comes to rest")
        self.assert_as_asked_for()

    def assert_as_asked_for(self) -> None:
        job = self.job
        if job is None:
            assert not self.living
            return
        assert job.desired is not Desired.DELETED
        if job.desired is Desired.RUNNING and job.outcome is Outcome.OPEN:
            (one,) = self.living
            assert (one.attempt, job.actual) == (job.attempt, Actual.READY)
            assert one.digest == job.graph_digest, "another graph runs than was asked for"
            return
        assert not self.living
        assert (job.actual, job.retry_at) == (Actual.NONE, None)
        assert not (job.outcome is Outcome.OPEN and self.holds_ports)

    @invariant()
    def one_engine_at_most(self) -> None:
        assert len(self.living) <= 1


TestStory = Story.TestCase
TestStory.settings = settings(max_examples=200, stateful_step_count=20, deadline=None)


def a_job_whose_engine_is_being_started() -> Story:
    story = Story()
    story.create(stopped=False)
    story.work()
    assert story.unrecorded is not None
    return story


def test_an_engine_that_was_being_started_when_the_job_was_changed_does_not_stay() -> None:
    story = a_job_whose_engine_is_being_started()
    story.change()
    story.all_comes_to_rest()


def test_nor_does_one_of_which_its_runner_could_not_tell() -> None:
    story = a_job_whose_engine_is_being_started()
    story.change()
    story.runner_is_replaced()
    story.all_comes_to_rest()


def test_nor_does_one_when_the_job_was_stopped_changed_and_started() -> None:
    story = a_job_whose_engine_is_being_started()
    story.stop(None)
    story.change()
    story.start()
    story.all_comes_to_rest()
    assert [one.attempt for one in story.living] == [2]
