"""Links of the description: with the id that a create was sent, everything about that job can be asked."""

from typing import Any

from server.api.endpoint import JOB

Json = dict[str, Any]

CREATE = JOB.partition("/{")[0]
ABOUT_ONE_JOB = JOB.removesuffix("/")
CREATED = ("201", "202")
ITS_ID = "$request.body#/job_id"


def add_links(paths: dict[str, Json]) -> None:
    """Paths are those of an OpenAPI document."""
    links = {
        operation["operationId"]: {"operationId": operation["operationId"], "parameters": {"job_id": ITS_ID}}
        for path, operations in paths.items()
        if path.startswith(ABOUT_ONE_JOB)
        for operation in operations.values()
    }
    for create in paths[CREATE].values():
        for status in CREATED:
            create["responses"][status]["links"] = links
