"""`job apply`: the server's jobs become those of files; the plan is shown first."""

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from server.commands.change import change_job, create_job, delete_job
from server.commands.checks import problems_of
from server.commands.connect import complain, told
from server.commands.exits import Exit
from server.commands.flow_files import Found
from server.commands.output import Form, print_value, under_way
from server.commands.plan import FIELDS, Action, Step, plan
from server.commands.text import has_colours, printable
from server.jobs.labels import LabelTest
from server.jobs.words import JobStatus

if TYPE_CHECKING:
    from server.client import Client

_MARKS = {
    Action.CREATE: ("+", "green"),
    Action.CHANGE: ("~", "yellow"),
    Action.REPLACE: ("~", "yellow"),
    Action.DELETE: ("-", "red"),
    Action.UNCHANGED: ("=", None),
}


@dataclass(frozen=True)
class Manner:
    """How to go about it. `only`: which jobs may be pruned; `yes`: without asking; `check`: not when a graph has
    problems."""

    prune: bool = False
    only: tuple[LabelTest, ...] = ()
    dry_run: bool = False
    yes: bool = False
    check: bool = True
    form: Form = Form.TABLE


class Undone(Exception):
    """A step was not done, or not to the end; says why."""


def apply(client: "Client", found: Found, manner: Manner) -> int:
    defaults = client.job_page(fields=FIELDS, limit=1).defaults
    jobs = list(client.jobs(fields=FIELDS))
    steps = plan(found.flows, jobs, defaults, prune=manner.prune, only=manner.only)
    for line in found.skipped:
        complain(f"skipped: {line}")
    changes = [step for step in steps if step.changes]
    _show_plan(steps, manner.form)
    problems = [
        problem for step in changes if step.flow and manner.check for problem in problems_of(client, step.flow)
    ]
    for problem in problems:
        click.echo(printable(problem), err=True)
    if problems:
        complain("nothing was changed: flows have problems; --no-check goes on all the same")
        return Exit.WRONG
    if manner.dry_run or not changes:
        return Exit.OK
    if not manner.yes and not _is_wanted(changes):
        return Exit.UNUSABLE
    return _carry_out(client, changes, manner.form)


def _show_plan(steps: Sequence[Step], form: Form) -> None:
    if not form.is_for_people:
        print_value([{"action": step.action, "job_id": step.job_id, "why": step.why} for step in steps], form)
        return
    colours = has_colours()
    for step in steps:
        mark, colour = _MARKS[step.action]
        line = f"{mark} {step.action:9} {step.job_id}{f': {step.why}' if step.why else ''}"
        click.echo(
            click.style(printable(line), fg=colour) if colours and colour else printable(line), color=colours
        )
    counts = [
        f"{count} {_VERBS[action]}"
        for action in Action
        if (count := sum(step.action is action for step in steps)) or action is not Action.REPLACE
    ]
    click.echo(f"{', '.join(counts)}")


_VERBS = {
    Action.CREATE: "to create",
    Action.CHANGE: "to change",
    Action.REPLACE: "to replace",
    Action.DELETE: "to delete",
    Action.UNCHANGED: "unchanged",
}


def _is_wanted(changes: Sequence[Step]) -> bool:
    if not sys.stdin.isatty():
        complain(f"{len(changes)} changes need a yes; give --yes where nobody can be asked")
        return False
    return click.confirm(f"{len(changes)} changes: carry them out?", default=False, err=True)


def _carry_out(client: "Client", changes: Sequence[Step], form: Form) -> int:
    """What became of each step is told on stdout, unless the plan stands there for programs."""
    from server.client import ApiError

    code = Exit.OK
    for number, step in enumerate(changes, 1):
        with under_way(f"{number} of {len(changes)}: {step.action} {step.job_id}"), _undisturbed():
            try:
                outcome = _do(client, step)
            except (ApiError, Undone) as error:
                reason = told(error) if isinstance(error, ApiError) else str(error)
                complain(f"{step.job_id}: {reason}")
                code = Exit.WRONG
                continue
        click.echo(f"{step.job_id} {outcome}", err=not form.is_for_people)
        if outcome == JobStatus.FAILED:
            code = Exit.WRONG
    return code


def _do(client: "Client", step: Step) -> str:
    """The job's status then. Raises: ClientError, Undone."""
    from server.client import ClientError, NoSuchJob

    if step.action is Action.CHANGE and step.flow is not None:
        return change_job(client, step.flow, step.options)
    if step.action is not Action.CREATE:
        try:
            gone = delete_job(client, step.job_id)
        except NoSuchJob:
            gone = True
        if not gone:
            raise Undone("it is still DELETEING; run apply again when it is gone")
    if step.flow is None:
        return "deleted"
    try:
        return create_job(client, step.flow, wait=True)
    except ClientError:
        if step.action is Action.REPLACE:
            complain(f"{step.job_id}: was deleted and its new graph is not up: mend it and run apply again")
        raise


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Ctrl-C waits until a job that was deleted to be replaced is there again."""
    asked: list[int] = []
    before = signal.signal(signal.SIGINT, lambda signum, _: asked.append(signum))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if asked:
        raise KeyboardInterrupt
