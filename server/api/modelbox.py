"""What the description says of ModelBox's own endpoints, whose handlers (jobs.py) speak its odd rules by hand."""

from typing import Any

import msgspec

from server.api.full_status import StatusQuery
from server.api.orders import EndingQuery
from server.api.rights import Need, Scoped, need
from server.api.validation import CreateQuery
from server.wire.bodies import ChangeBody, CreateBody, JobBody, JobListBody
from server.wire.full_status import FullStatus
from server.wire.validation import ValidateBody, Validation

JOBS_TAG = "ModelBox's own"
RESPOND_ASYNC = (
    "`Prefer: respond-async` has it answered with 202 as soon as it is on record; so is what takes longer than the"
    " server's configured wait."
)


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """`answers`: status to what it means and the type of its body, None when it has none, several in a tuple."""

    method: str
    path: str
    name: str
    text: str
    answers: dict[int, tuple[str, Any]]
    errors: dict[int, str]
    body: Any = None
    query: Any = None
    tag: str = JOBS_TAG
    scoped: Scoped | None = None

    @property
    def need(self) -> Need:
        return need(self.method, self.path, scoped=self.scoped)


def _create(method: str, name: str) -> Described:
    return Described(
        method=method,
        path="/v1/modelbox/job",
        name=name,
        text=(
            "Creates a job and waits until its flow is up.\n\n"
            "The body is JSON whatever the Content-Type says; further segments of the path are ignored, as"
            f" ModelBox does. {RESPOND_ASYNC} After MODELBOX_008 the id is taken by a FAILED job, until that is"
            " deleted."
        ),
        body=CreateBody,
        query=CreateQuery,
        scoped=Scoped.LABELS,
        answers={
            200: ("With `dry_run`: it would be created.", Validation),
            201: ("The flow is up. `Location` has the job's path.", None),
            202: ("On record, not up yet.", JobBody),
        },
        errors={
            400: (
                "The body is wrong (003, 004, 006, 007), the id is taken (005), the graph cannot be built (008);"
                " with `dry_run`, `problems` has all that is wrong with the graph."
            ),
            429: "There are as many jobs as the configuration allows (009).",
        },
    )


DESCRIBED = (
    _create("PUT", "create_job"),
    _create("POST", "create_job_by_post"),
    Described(
        method="POST",
        path="/v1/modelbox/job/validate",
        name="validate_job",
        text=(
            "Says everything that is wrong with a job that is not there yet, and what looks like a mistake.\n\n"
            "The body is that of a create; a `job_id` is not needed, and whether it is taken is not asked"
            " (`dry_run` does). Nothing is changed and nothing is run; folders of units that the graph names are"
            " read. A graph that takes too long or too much memory to examine is not valid. A check that cannot be"
            " made while the graph is wrong otherwise is left out."
        ),
        body=ValidateBody,
        answers={200: ("What there is to say of it.", Validation)},
        errors={400: "The body is not JSON, or no object (006)."},
        tag="jobs",
        scoped=Scoped.NO_JOBS,
    ),
    Described(
        method="GET",
        path="/v1/modelbox/job/{job_id}",
        name="read_job",
        text=(
            "The status of a job.\n\nWith `view=full` all that is known of it. Its engine is asked how the nodes"
            " of its flow stand, for a second at most; then the rest is told without them."
        ),
        query=StatusQuery,
        answers={200: ("The job as it is now.", (JobBody, FullStatus))},
        errors={
            404: "No such job (002).",
            400: "The path is neither a job's nor the list's, or there is no such view (006).",
        },
    ),
    Described(
        method="GET",
        path="/v1/modelbox/job/list/all",
        name="list_all_jobs",
        text="The status of all jobs, oldest first.",
        answers={200: ("All jobs.", JobListBody)},
        errors={},
        scoped=Scoped.FILTERED,
    ),
    Described(
        method="PATCH",
        path="/v1/modelbox/job/{job_id}",
        name="change_job",
        text=(
            "Gives a job another graph, or other options, as its next version, and waits until that is up.\n\n"
            "What runs goes on until the new engine is ready, and no request to the flow is refused or lost. When"
            " it does not get ready, the job is as it was, and the answer says why. A job that does not run has"
            " the new version from then on; one that is FAILED is tried with it. What is equal already changes"
            " nothing."
            f" {RESPOND_ASYNC}"
        ),
        body=ChangeBody,
        answers={
            200: ("The new version is up, or what was asked for is so already.", JobBody),
            202: ("On record, not decided yet: `change` says which version is on its way.", JobBody),
        },
        errors={
            400: "The body is wrong (006, 001); the new graph cannot be built, and nothing is changed (008).",
            404: "No such job (002).",
            409: "Another change of the job is on its way (012).",
        },
    ),
    Described(
        method="DELETE",
        path="/v1/modelbox/job/{job_id}",
        name="delete_job",
        text=(
            "Deletes a job and waits until its engine is gone and its ports are free.\n\nAsked for again with less"
            f" grace, or `force`, it shortens what was given before. {RESPOND_ASYNC}"
        ),
        query=EndingQuery,
        answers={
            204: ("The job is gone.", None),
            202: ("On record, the job is DELETEING.", JobBody),
        },
        errors={400: "A header or `grace` is malformed (006).", 404: "No such job (002)."},
    ),
)
