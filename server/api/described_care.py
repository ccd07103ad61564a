"""What the description says of requests that change a job, and of the tag of a job; see care.py."""

from collections.abc import Callable
from typing import Any

from server.api.care import IF_MATCH, IF_NONE_MATCH, KEY
from server.api.endpoint import JOB, VALIDATE
from server.api.once import REPLAYED

Json = dict[str, Any]
ErrorAnswers = Callable[[dict[int, str]], Json]

BASE = JOB.partition("/{")[0]
CHANGING = ("PUT", "POST", "PATCH", "DELETE")

_KEY: Json = {
    "name": KEY,
    "in": "header",
    "required": False,
    "description": (
        "The client's name for this request, in quotes or bare: sent again with the same key, it is not carried"
        " out again, but answered as it was."
    ),
    "schema": {"type": "string", "pattern": r'^("([ !#-\[\]-~]|\\["\\]){1,255}"|[!#-+\--~]{1,255})$'},
}
_IF_MATCH: Json = {
    "name": IF_MATCH,
    "in": "header",
    "required": False,
    "description": "Only on a job that has one of these tags (`ETag` of its status), or, with `*`, on any.",
    "schema": {"type": "string", "pattern": r'^(\*|(W/)?"[!#-~]*"( *, *(W/)?"[!#-~]*")*)$'},
}
_IF_NONE_MATCH: Json = {
    "name": IF_NONE_MATCH,
    "in": "header",
    "required": False,
    "description": "`*`: only if there is no such job.",
    "schema": {"type": "string", "enum": ["*"]},
}
_ETAG: Json = {
    "description": (
        "The job's tag, for `If-Match`. Another one once somebody has commanded something of the job; what its"
        " engine does leaves it as it is."
    ),
    "schema": {"type": "string"},
}
_REPLAYED: Json = {
    "description": "`true`: the answer that an earlier request with this key was given.",
    "schema": {"type": "string", "enum": ["true"]},
}
_REFUSALS = {
    409: f"An earlier request with this `{KEY}` is not answered yet (014).",
    412: f"`{IF_MATCH}` or `{IF_NONE_MATCH}` does not hold (015).",
    422: f"The `{KEY}` was used for another request (013).",
}


def changes_a_job(method: str, path: str) -> bool:
    return method in CHANGING and (path == BASE or path.startswith(f"{BASE}/")) and path != f"{BASE}/{VALIDATE}"


def add_care(operation: Json, method: str, path: str, errors: ErrorAnswers) -> None:
    """`errors` makes answers with an error body of their descriptions, by status."""
    if method == "GET" and path == JOB.removesuffix("/"):
        operation["responses"]["200"]["headers"] = {"ETag": _ETAG}
    if not changes_a_job(method, path):
        return
    of_create = [_IF_NONE_MATCH] if path == BASE else []
    operation["parameters"] = [*operation.get("parameters", ()), _KEY, _IF_MATCH, *of_create]
    responses = operation["responses"]
    for status, answer in responses.items():
        if status.startswith("2"):
            tag = {} if status == "204" else {"ETag": _ETAG}
            answer["headers"] = {**tag, REPLAYED: _REPLAYED}
    for status, answer in errors(_REFUSALS).items():
        before = responses.get(status)
        if before is not None:
            answer = {**before, "description": f"{before['description']} {answer['description']}"}
        responses[status] = answer
    operation["responses"] = dict(sorted(responses.items()))
